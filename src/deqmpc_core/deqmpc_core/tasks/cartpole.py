"""Swing a pole up by pushing its cart, and keep it there near the middle of the rail."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.systems import cartpole as cartpole_system
from deqmpc_core.tasks.pendulum import UPRIGHT
from deqmpc_core.tasks.task import REACHES, ExpertNumbers, Task, held

_RAIL, _OFF_RAIL_COST = 10.0, 80.0  # m, cost a step beyond it
_EXPERT = ExpertNumbers(
    80, (0.01,) * 4, (1e-6,), method="interior_point", last_weight=(10.0, 50.0, 10.0, 10.0), searches=4,
    rounds=4,
)


@dataclass(frozen=True, eq=False)
class CartpoleTask(Task):
    """The task's rules; numbers in `Task`."""

    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """See `anywhere`."""
        return anywhere(np.random.default_rng((seed, episode)))

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """`anywhere`, or at a tenth or three tenths of that distance from the goal, as in flight."""
        return anywhere(rng, rng.choice(REACHES))

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """-(|theta error| + |x| + 80 [|x| > 10]); a cost: at most 0."""
        error = self.error(x).abs()
        return -(error[..., 1] + error[..., 0] + _OFF_RAIL_COST * (error[..., 0] > _RAIL))

    def near(self, x: Tensor) -> Tensor:
        """|theta| < 0.05."""
        return self.error(x)[..., 1].abs() < UPRIGHT

    def success(self, states: Tensor) -> Tensor:
        """|theta| < 0.05 at 10 consecutive steps, wherever the cart is."""
        return held(self.near(states[:, 1:]))


def anywhere(rng: np.random.Generator, reach: float = 1.0) -> NDArray[np.float64]:
    """A start (4,): all four within `reach` pi of the goal, theta then in [0, 2 pi)."""
    x = reach * rng.uniform(-np.pi, np.pi, 4)
    x[1] %= 2.0 * math.pi
    return x


def cartpole(
    *, dt: float = 0.05, horizon: int = 5, u_max: float = 100.0, state_weight: Sequence[float] = (1.0,) * 4,
    control_weight: Sequence[float] = (1e-8,), control_reference: Sequence[float] = (0.0,),
    ends_at_success: bool = True,
) -> CartpoleTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword."""
    return CartpoleTask.of(
        cartpole_system, dt=dt, horizon=horizon, u_min=-u_max, u_max=u_max, angle_low=0.0,
        state_weight=state_weight, control_weight=control_weight, control_reference=control_reference,
        ends_at_success=ends_at_success, expert_numbers=_EXPERT,
    )  # fmt: skip
