"""A robot of your own: a car that follows waypoints no faster than it may and never across the kerb.

The robot is one function of its motion, a layout and its limits; the rest, solver and gradients, is derived.
Run: python examples/own_robot.py
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sympy
import torch

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.systems import System
from deqmpc_core.tasks import Task
from deqmpc_core.types import Solution, Status

DT, HORIZON = 0.1, 20  # s, intervals
TOP_SPEED, KERB = 1.2, 0.5  # m/s, m: the car keeps to y <= KERB
ASKED_SPEED, ASKED_HEADING = 1.5, 0.4  # m/s, rad: the waypoints are too fast and lead across the kerb
ACCELERATION, STEERING = 3.0, 0.5  # m/s^2, rad: limits of the controls
PARAMETERS = {"wheelbase": 0.3, "drag": 0.2}  # m, 1/s


def motion(x: Sequence[Any], u: Sequence[Any], p: Mapping[str, Any]) -> list[Any]:
    """xdot of the state [x, y, heading, speed] under [acceleration, steering angle]."""
    _, _, heading, speed = x
    turn = speed / p["wheelbase"] * sympy.tan(u[1])
    return [speed * sympy.cos(heading), speed * sympy.sin(heading), turn, u[0] - p["drag"] * speed]


def beyond_kerb(x: Sequence[Any], p: Mapping[str, Any]) -> list[Any]:
    """h(x) <= 0 at every knot of a plan."""
    return [x[1] - p["kerb"]]


car = System(
    "car", ("x", "y", "heading", "speed"), ("acceleration", "steering"), 3, PARAMETERS, motion, angles=(2,)
)
car = car.bounded(speed=(0.0, TOP_SPEED)).constrained(beyond_kerb, kerb=KERB)
task = Task.of(
    car, dt=DT, horizon=HORIZON, u_min=(-ACCELERATION, -STEERING), u_max=(ACCELERATION, STEERING),
    state_weight=(10.0, 10.0, 1.0, 0.1), control_weight=(0.1, 0.1),
)  # fmt: skip


def solve() -> Solution:
    """A plan from standstill at the origin, for waypoints on a straight line."""
    way = ASKED_SPEED * DT * torch.arange(1, HORIZON + 1, dtype=torch.float64)
    heading = torch.full_like(way, ASKED_HEADING)
    waypoints = torch.stack([way * heading.cos(), way * heading.sin(), heading, 0 * way + ASKED_SPEED], -1)
    solver = TrackingSolver(task, method="interior_point")
    return solver(torch.zeros(1, 4, dtype=torch.float64), waypoints[None])


if __name__ == "__main__":
    solution = solve()
    print(list(Status)[int(solution.status)].value)
    for x, y, heading, speed in solution.x[0].tolist():
        print(f"x {x:6.3f} m   y {y:6.3f} m   heading {heading:6.3f} rad   speed {speed:6.3f} m/s")
