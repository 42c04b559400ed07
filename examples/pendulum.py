"""Solve a pendulum: one plan that swings it up with a torque too weak to lift it at once.

Nothing is asked of the way there: only the last second counts, and the effort.
Run: python examples/pendulum.py
"""

import math

import torch

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Solution, Status

START = (math.pi, 0.0)  # rad from upright, rad/s: it hangs
KNOTS, LAST = 120, 20  # intervals of 0.05 s in the plan, and those that count
WEIGHT = (10.0, 1.0)  # of the squared errors of angle and rate there


def solve() -> Solution:
    """The plan (1, T+1, 2) that brings the pendulum upright, and its torques (1, T, 1)."""
    task = load_task("pendulum")
    solver = TrackingSolver(task, horizon=KNOTS, method="interior_point")
    x0 = torch.tensor([START], dtype=torch.float64)
    upright = torch.zeros(1, KNOTS, task.n, dtype=torch.float64)
    weight = torch.zeros_like(upright)
    weight[:, -LAST:] = torch.tensor(WEIGHT)
    return solver(x0, upright, state_weight=weight)


if __name__ == "__main__":
    solution = solve()
    print(list(Status)[int(solution.status)].value)
    print(f"{int(solution.info.iterations)} iterations, cost {float(solution.info.cost):.3f}")
    for knot in range(0, KNOTS + 1, 10):
        angle, rate = solution.x[0, knot].tolist()
        print(f"{0.05 * knot:4.1f} s   angle {angle:6.3f} rad   rate {rate:6.3f} rad/s")
