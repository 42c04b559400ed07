"""A policy whose network predicts cost weights beside the waypoints (Section 3.1): how much the rates count.

The pilot it learns from flies the same robot with other weights of the rates. The solver is differentiable in
its weights, so the network finds them by the gradient of the plans' error, knot by knot.
Run: python examples/velocity_weights.py
"""

import torch

from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation, Spheres

PILOT_FACTOR = 5.0  # on the task's weights of the rates
EXAMPLES, STEPS, RATE = 32, 40, 0.01
NOTHING = Spheres(torch.zeros(0, 3, dtype=torch.float64), 0.0)


def train() -> list[tuple[float, float]]:
    """The plans' mean error and the mean factor that the network predicts, step by step."""
    torch.manual_seed(0)
    task = load_task("crazyflie")
    x0 = 0.3 * torch.randn(EXAMPLES, task.n, dtype=torch.float64)
    x0[:, 3:6] *= 0.3  # attitudes stay moderate
    seen = Observation(x0, NOTHING)
    factor = torch.ones(task.n, dtype=torch.float64)
    factor[task.q :] = PILOT_FACTOR
    pilot = make_policy(PolicyConfig(task.name, "goal-mpc"), task)
    goal, weight = task.goal.expand(EXAMPLES, task.horizon, task.n), factor * task.state_weight
    expert = pilot.solver(x0, goal, al_iterations=12, spheres=NOTHING, state_weight=weight)
    config = PolicyConfig(
        task.name, "deqmpc-nn", hidden=16, rounds=2, predicts=("waypoints", "velocity_weights")
    )
    policy = make_policy(config, task)
    assert policy.network is not None
    optimiser = torch.optim.Adam(policy.network.parameters(), lr=RATE)
    history = []
    for _ in range(STEPS):
        plan, _ = policy.unroll(seen, policy.initial_state(EXAMPLES))
        error = torch.stack([(r.x - expert.x).abs().sum(-1).mean() for r in plan.rounds]).sum()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        weight = plan.rounds[-1].state_weight
        assert weight is not None
        mean = (weight / task.state_weight)[..., task.q :].mean()
        history.append((float(error.detach()), float(mean.detach())))
    return history


if __name__ == "__main__":
    for step, (error, factor) in enumerate(train(), 1):
        print(f"step {step:2d}   error {error:.4f}   weights of the rates times {factor:.2f}")
