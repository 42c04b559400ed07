"""Fly a quadrotor to the origin from metres away, far tilted; no obstacles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.flight.frames import mrp_from_quaternion, multiply, quaternion_from_rotation_vector
from deqmpc_core.systems import quadrotor as quadrotor_system
from deqmpc_core.tasks.task import ExpertNumbers, Task

ARRIVED = 1.5  # m; the facts name no rule for this task, this is the one of the tasks with obstacles
_REWARD_WEIGHT = (10.0,) * 6 + (1.0,) * 6
_REWARD_CONTROL_WEIGHT = 1e-8
_COST_LIMIT = 500.0
_PLACE, _TILT, _VELOCITY, _RATE = 5.0, math.radians(70.0), 0.5, 0.25
_EXPERT = ExpertNumbers(
    40, (0.1,) * 12, (1e-3,) * 4, method="interior_point", reward_weight=10.0,
    last_weight=(50.0,) * 6 + (20.0,) * 6, rounds=4,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class QuadrotorTask(Task):
    """The task's rules; numbers in `Task`."""

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Within 5 m, Euler angles within 70 degrees, 0.5 m/s and 0.25 rad/s a component."""
        place, attitude = rng.uniform(-_PLACE, _PLACE, 3), random_attitude(rng, _TILT)
        rates = rng.uniform(-1.0, 1.0, 6) * ([_VELOCITY] * 3 + [_RATE] * 3)
        return np.concatenate([place, attitude, rates])

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """`bounded_reward` with Q = [10]*6 + [1]*6."""
        return bounded_reward(self.error(x), _REWARD_WEIGHT, u)

    def success(self, states: Tensor) -> Tensor:
        """At most `goal_tolerance` from the goal at the end."""
        return self.error(states[:, -1])[:, :3].norm(dim=-1) <= self.goal_tolerance


def random_attitude(rng: np.random.Generator, limit: float) -> NDArray[np.float64]:
    """Short MRP (3,) of Euler angles uniform within `limit` [rad]: about world x, then y, then z."""
    about_x, about_y, about_z = quaternion_from_rotation_vector(np.diag(rng.uniform(-limit, limit, 3)))
    return mrp_from_quaternion(multiply(about_z, multiply(about_y, about_x)))


def bounded_reward(error: Tensor, weight: Sequence[float], u: Tensor | None) -> Tensor:
    """exp(2 - c/2), c = sum Q error^2 / 200 + sum R u^2 / 20 with R = 1e-8; -c where c > 500.

    error (..., n), u (..., m) or None.
    """
    cost = (error.square() * error.new_tensor(weight)).sum(-1) / 200.0
    if u is not None:
        cost = cost + _REWARD_CONTROL_WEIGHT * u.square().sum(-1) / 20.0
    return torch.where(cost > _COST_LIMIT, -cost, torch.exp(2.0 - 0.5 * cost))


def quadrotor(
    *, dt: float = 0.05, horizon: int = 5, u_min: float = 11.5, u_max: float = 18.3,
    state_weight: Sequence[float] = _REWARD_WEIGHT, control_weight: Sequence[float] = (1e-2,) * 4,
    control_reference: Sequence[float] | None = None, goal_tolerance: float = ARRIVED,
) -> QuadrotorTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword; the control reference is hover."""
    p = quadrotor_system.parameters
    hover = (p["mass"] * p["gravity"] / 4.0 - p["thrust_offset"]) / p["thrust_gain"]
    return QuadrotorTask.of(
        quadrotor_system, dt=dt, horizon=horizon, episode_steps=100, u_min=u_min, u_max=u_max,
        goal_tolerance=goal_tolerance, state_weight=state_weight, control_weight=control_weight,
        control_reference=hover if control_reference is None else control_reference,
        expert_numbers=_EXPERT,
    )  # fmt: skip
