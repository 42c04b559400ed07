"""What every task has: a robot, an interval, a goal, limits, weights, obstacles and rules."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.systems.system import System
from deqmpc_core.types import Spheres


class ExpertNumbers(NamedTuple):
    """The task's long-horizon MPC expert: horizon T, its own weights (n,) and (m,), margin [m], m of
    MPC-m."""

    horizon: int
    state_weight: tuple[float, ...]
    control_weight: tuple[float, ...]
    safety_margin: float
    al_iterations: int


@dataclass(frozen=True, eq=False)
class Task(ABC):
    """Numbers of a task; all tensors float64, SI units, positions in the task's frame.

    dt: knot spacing [s], integrated in `substeps` RK4 steps. goal (n,). origin (3,): the task frame's
    origin in the world [m]. u_lo, u_hi, control_reference, control_weight (m,); state_weight (n,): the
    MPC's weights, which never change the reward. safety_margin [m] is added to the spheres' radius inside
    the solver only.
    """

    name: str
    system: System
    dt: float
    substeps: int
    horizon: int
    episode_steps: int
    goal: Tensor
    origin: Tensor
    u_lo: Tensor
    u_hi: Tensor
    control_reference: Tensor
    state_weight: Tensor
    control_weight: Tensor
    spheres: Spheres | None
    safety_margin: float
    expert: ExpertNumbers

    @property
    def n(self) -> int:
        """Number of states."""
        return self.system.n

    @property
    def m(self) -> int:
        """Number of controls."""
        return self.system.m

    @property
    def q(self) -> int:
        """Number of configuration coordinates."""
        return self.system.configuration

    def step(self, x: Tensor, u: Tensor) -> Tensor:
        """Successor (B, n) of x (B, n) under u (B, m) clamped to its limits; differentiable; short MRP
        set."""
        u = torch.minimum(torch.maximum(u, self.u_lo), self.u_hi)
        return self.system.to_short_mrp(self.system.rk4(x, u, self.dt, self.substeps))

    def for_expert(self) -> "Task":
        """The task with the expert's horizon, weights and margin in place of the policy's."""
        expert = self.expert
        return replace(
            self, horizon=expert.horizon, safety_margin=expert.safety_margin,
            state_weight=self.state_weight.new_tensor(expert.state_weight),
            control_weight=self.control_weight.new_tensor(expert.control_weight),
        )  # fmt: skip

    @abstractmethod
    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """Start state (n,) of an episode; depends on (seed, episode) alone."""

    @abstractmethod
    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A state (n,) such as flight passes through: data sets start here too, so that policies can
        recover."""

    @abstractmethod
    def reward(self, x: Tensor) -> Tensor:
        """Reward (...) of arriving in x (..., n)."""

    @abstractmethod
    def failure(self, before: Tensor, after: Tensor) -> str | None:
        """Why the swept step before -> after, both (n,), ends the episode; None if it does not."""
