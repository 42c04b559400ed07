"""Fly a quadrotor to the origin and balance the pole hinged on it; no obstacles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.systems import quadrotor_pole
from deqmpc_core.tasks.quadrotor import bounded_reward, random_attitude
from deqmpc_core.tasks.task import REACHES, ExpertNumbers, Task

POLE = 6  # index of theta
UPRIGHT = 0.2  # rad off upright at the end; the facts say "upright" without a number
_REWARD_WEIGHT = (10.0,) * 6 + (80.0,) + (1.0,) * 7
GOAL = (0.0,) * POLE + (math.pi,) + (0.0,) * 7
_TILT = math.radians(45.0)
DEVIATION = 0.1545075  # total thrust 0.7 to 1.3 times the weight
EXPERT = ExpertNumbers(
    60, (0.1,) * 14, (1.0,) * 4, 0.05, method="interior_point", reward_weight=10.0,
    last_weight=(50.0,) * 7 + (20.0,) * 7, rounds=2, late=(POLE, 13),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class QuadrotorPoleTask(Task):
    """The task's rules; numbers in `Task`."""

    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """See `anywhere`."""
        return anywhere(np.random.default_rng((seed, episode)))

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """`anywhere`, or at a tenth or three tenths of that distance from the goal in every coordinate, as in
        flight."""
        return np.array(GOAL) + rng.choice(REACHES) * (anywhere(rng) - np.array(GOAL))

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """`bounded_reward` with Q = [10]*6 + [80] + [1]*7 about the upright pole at the origin."""
        return bounded_reward(self.error(x), _REWARD_WEIGHT, u)

    def success(self, states: Tensor) -> Tensor:
        """At the end, at most `goal_tolerance` from the goal with the pole at most 0.2 rad off upright."""
        error = self.error(states[:, -1])
        return (error[:, :3].norm(dim=-1) <= self.goal_tolerance) & (error[:, POLE].abs() <= UPRIGHT)


def anywhere(rng: np.random.Generator) -> NDArray[np.float64]:
    """A start (14,): within 5 m, Euler angles within 45 degrees, any pole angle, rates within 1 (SI)."""
    place, attitude = rng.uniform(-5.0, 5.0, 3), random_attitude(rng, _TILT)
    pole = rng.uniform(0.0, 2.0 * np.pi)
    return np.concatenate([place, attitude, [pole], rng.uniform(-1.0, 1.0, 7)])


PoleTask = TypeVar("PoleTask", bound=QuadrotorPoleTask)


def flying_pole(
    kind: type[PoleTask], *, name: str, u_max: float, velocity_weight: float,
    state_weight: Sequence[float] | None, expert_numbers: ExpertNumbers = EXPERT, **numbers: Any,
) -> PoleTask:  # fmt: skip
    """A task of `kind` on this robot; numbers: fields of `Task.of`."""
    if state_weight is not None and velocity_weight != 1.0:
        raise ConfigError(f"{name}: expected state_weight or velocity_weight, got both; leave one out")
    default = _REWARD_WEIGHT[:7] + (velocity_weight,) * 7
    return kind.of(
        quadrotor_pole, name=name, u_min=-u_max, u_max=u_max, goal=GOAL, angle_low=0.0,
        state_weight=default if state_weight is None else state_weight,
        expert_numbers=expert_numbers, **numbers,
    )  # fmt: skip


def qpole(
    *, dt: float = 0.05, horizon: int = 5, u_max: float = DEVIATION, velocity_weight: float = 1.0,
    state_weight: Sequence[float] | None = None, control_weight: Sequence[float] = (1e-8,) * 4,
    control_reference: Sequence[float] = (0.0,) * 4, goal_tolerance: float = 0.5,
) -> QuadrotorPoleTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword; velocity_weight: s of Figure 7, the MPC's weight
    of every rate.
    """
    return flying_pole(
        QuadrotorPoleTask, name="qpole", dt=dt, horizon=horizon, u_max=u_max,
        velocity_weight=velocity_weight, state_weight=state_weight, control_weight=control_weight,
        control_reference=control_reference, goal_tolerance=goal_tolerance,
    )  # fmt: skip
