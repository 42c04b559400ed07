"""Swing a pendulum up and keep it there with a torque too weak to lift it at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.systems import pendulum as pendulum_system
from deqmpc_core.tasks.task import ExpertNumbers, Task, held

UPRIGHT = 0.05  # rad
HOLD = 10  # consecutive steps
_EXPERT = ExpertNumbers(
    120, (0.0, 0.01), (1e-3,), method="interior_point", last_weight=(50.0, 10.0), searches=4, rounds=4
)


@dataclass(frozen=True, eq=False)
class PendulumTask(Task):
    """The task's rules; numbers in `Task`."""

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """theta anywhere, thetadot within 1 rad/s."""
        return rng.uniform((-np.pi, -1.0), (np.pi, 1.0))

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """-wrap(theta)^2; a cost: at most 0."""
        return -self.error(x)[..., 0].square()

    def near(self, x: Tensor) -> Tensor:
        """|theta| < 0.05."""
        return self.error(x)[..., 0].abs() < UPRIGHT

    def success(self, states: Tensor) -> Tensor:
        """|theta| < 0.05 at 10 consecutive steps."""
        return held(self.near(states[:, 1:]))


def pendulum(
    *, dt: float = 0.05, horizon: int = 5, integrator: str = "rk4", u_max: float = 5.0,
    state_weight: Sequence[float] = (10.0, 1.0), control_weight: Sequence[float] = (0.01,),
    control_reference: Sequence[float] = (0.0,), ends_at_success: bool = True,
) -> PendulumTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword; integrator "semi_implicit" and u_max 3 are those
    of the published expert data.
    """
    return PendulumTask.of(
        pendulum_system, dt=dt, horizon=horizon, integrator=integrator, u_min=-u_max, u_max=u_max,
        state_weight=state_weight, control_weight=control_weight, control_reference=control_reference,
        ends_at_success=ends_at_success, expert_numbers=_EXPERT,
    )  # fmt: skip
