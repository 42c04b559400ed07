"""System identification through the solver: the mass that explains the controls an expert chose.

The expert knows how heavy the robot is, the model does not. The solver is differentiable in named parameters
of the robot, so the mass that makes it choose the expert's controls is found by gradients.
Run: python examples/recover_mass.py
"""

import torch

from deqmpc_core.mpc import Spheres, TrackingSolver
from deqmpc_core.tasks import load_task

TRUE_MASS, FIRST_GUESS = 0.036, 0.030  # kg
EXAMPLES, STEPS, THRUST = 16, 12, 0.01  # THRUST [N]: the unit in which controls are compared


def recover() -> list[float]:
    """The masses [kg] that were tried, the last one best."""
    task = load_task("crazyflie")
    solver = TrackingSolver(task, adjoint="exact")
    nothing = Spheres(torch.zeros(0, 3, dtype=torch.float64), 0.0)
    generator = torch.Generator().manual_seed(0)
    x0 = 0.1 * torch.randn(EXAMPLES, task.n, generator=generator, dtype=torch.float64)
    goal = torch.zeros(EXAMPLES, task.horizon, task.n, dtype=torch.float64)
    with torch.no_grad():
        expert = solver(x0, goal, spheres=nothing, parameters={"mass": TRUE_MASS}).u
    ratio = torch.ones((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([ratio], max_iter=STEPS, line_search_fn="strong_wolfe")
    masses = []

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        mass = FIRST_GUESS * ratio
        plan = solver(x0, goal, spheres=nothing, parameters={"mass": mass})
        error = ((plan.u - expert) / THRUST).square().mean()
        error.backward()
        masses.append(float(mass.detach()))
        return error

    optimiser.step(loss)
    return masses


if __name__ == "__main__":
    for step, mass in enumerate(recover(), 1):
        print(f"try {step:2d}   mass {mass:.5f} kg")
