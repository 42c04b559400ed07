"""The quadrotor task's MPC numbers, for as long as load_task does not know it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.systems import quadrotor
from deqmpc_core.tasks.task import ExpertNumbers, Task


@dataclass(frozen=True, eq=False)
class _Numbers(Task):
    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        raise NotImplementedError

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        raise NotImplementedError

    def reward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def failure(self, before: Tensor, after: Tensor) -> str | None:
        raise NotImplementedError


def quadrotor_task() -> Task:
    """facts/tasks.md no. 3."""
    real = torch.float64
    hover = (9.81 * 2.0 / 4 + 30.48576) / 2.44101
    weights = (10.0,) * 6 + (1.0,) * 6
    return _Numbers(
        name="quadrotor", system=quadrotor, dt=0.05, substeps=1, horizon=5, episode_steps=100,
        goal=torch.zeros(12, dtype=real), origin=torch.zeros(3, dtype=real),
        u_lo=torch.full((4,), 11.5, dtype=real), u_hi=torch.full((4,), 18.3, dtype=real),
        control_reference=torch.full((4,), hover, dtype=real), state_weight=torch.tensor(weights, dtype=real),
        control_weight=torch.full((4,), 1e-2, dtype=real), spheres=None, safety_margin=0.0,
        expert=ExpertNumbers(20, weights, (1e-2,) * 4, 0.0, 2),
    )  # fmt: skip
