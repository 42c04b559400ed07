"""Differentiate through an obstacle problem: what a sphere in the way costs, and how moving it changes that.

A Crazyflie plans 0.5 s past a sphere on its straight way home. The solver gives the gradient of anything made
of the plan to the sphere's centre and radius; here it is held against finite differences.
Run: python examples/obstacle_gradient.py
"""

import torch
from torch import Tensor

from deqmpc_core.mpc import Spheres, TrackingSolver
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Status

START, SPEED = (0.4, 0.0, 0.0), -1.0  # m, m/s along x
CENTER, RADIUS = (0.1, 0.05, 0.02), 0.08  # m, in the task's frame
STEP = 1e-5  # m, of the finite differences
NAMES = ("center x", "center y", "center z", "radius")

task = load_task("crazyflie")
solver = TrackingSolver(task, method="interior_point", adjoint="exact", tolerance=1e-9)
x0 = torch.zeros(1, task.n, dtype=torch.float64)
x0[0, :3], x0[0, 6] = torch.tensor(START), SPEED
home = torch.zeros(1, solver.horizon, task.n, dtype=torch.float64)


def detour(sphere: Tensor) -> Tensor:
    """Squared distance from home [m^2], summed over the plan past sphere (4,): its centre and radius [m]."""
    plan = solver(x0, home, spheres=Spheres(sphere[None, :3], sphere[3:]))
    assert plan.status == Status.CONVERGED.code, "only a solution has the gradient of a solution"
    return plan.x[0, 1:, :3].square().sum()


def gradients() -> tuple[Tensor, Tensor]:
    """Of the detour to the sphere (4,): the solver's, and central differences."""
    sphere = torch.tensor((*CENTER, RADIUS), dtype=torch.float64, requires_grad=True)
    (exact,) = torch.autograd.grad(detour(sphere), sphere)
    with torch.no_grad():
        moves = STEP * torch.eye(4, dtype=torch.float64)
        differences = [(detour(sphere + move) - detour(sphere - move)) / (2.0 * STEP) for move in moves]
    return exact, torch.stack(differences)


if __name__ == "__main__":
    for name, exact, difference in zip(NAMES, *gradients(), strict=True):
        print(f"{name}   gradient {float(exact):9.5f}   finite difference {float(difference):9.5f}")
