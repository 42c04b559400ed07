"""What every task has: a robot, an interval, a goal, limits, weights, obstacles and rules.

A task to solve with needs no class of its own: `Task.of(robot, dt=0.05, u_min=-1.0, u_max=1.0, …)`. One to
fly, learn and be judged in is a subclass with `spread_start`, `reward` and `success`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.systems.system import System
from deqmpc_core.tasks.keep_out import KeepOut
from deqmpc_core.types import Spheres

INTEGRATORS = ("rk4", "semi_implicit")
REACHES = (0.1, 0.3, 1.0)  # of a start's distance from the goal, where flights mostly end near it
HOLD = 10  # consecutive steps near the goal that end an episode of a task with ends_at_success
_ORIGIN = torch.zeros(3, dtype=torch.float64)


class ExpertNumbers(NamedTuple):
    """The task's long-horizon MPC expert: horizon T, its own weights (n,) and (m,), margin [m].

    method "augmented_lagrangian" (MPC-m with m = al_iterations) tracks the goal with these weights;
    "interior_point" climbs the reward (`RewardMpcPolicy`): reward_weight times the reward's own weights come
    on top, last_weight (n,) at knot T. Of a cold plan: starts, first guesses amid obstacles; searches, random
    searches for one where a swing must be found; rounds, solves of each; late, states whose weights come in
    over the first of them, where all at once are too hard to start with.
    """

    horizon: int
    state_weight: tuple[float, ...]
    control_weight: tuple[float, ...]
    safety_margin: float = 0.0
    al_iterations: int = 2
    method: str = "augmented_lagrangian"
    reward_weight: float = 1.0
    last_weight: tuple[float, ...] = ()
    starts: int = 1
    searches: int = 0
    rounds: int = 6
    late: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Task(KeepOut):
    """Numbers of a task; all tensors float64, SI units, positions in the task's frame.

    dt: knot spacing [s], integrated in `substeps` steps. goal (n,). u_lo, u_hi, control_reference,
    control_weight (m,); state_weight (n,): the MPC's weights, which never change the reward. origin (3,): the
    task frame's origin in the world [m]. safety_margin [m] is added to the spheres' radius inside the solver
    only. integrator: what `step` moves the robot by; the solver always predicts by RK4. angle_low: `step`
    leaves plain angles in [angle_low, angle_low + 2 pi). goal_tolerance: how far from the goal [m] an episode
    may end in success, where success is about a place. ends_at_success: an episode ends once `near` was true
    at HOLD consecutive steps. random_layout: each episode draws its own spheres.
    """

    name: str
    system: System
    dt: float
    goal: Tensor
    u_lo: Tensor
    u_hi: Tensor
    control_reference: Tensor
    state_weight: Tensor
    control_weight: Tensor
    substeps: int = 1
    horizon: int = 5
    episode_steps: int = 200
    origin: Tensor = _ORIGIN
    spheres: Spheres | None = None
    safety_margin: float = 0.0
    integrator: str = "rk4"
    angle_low: float = -math.pi
    goal_tolerance: float = math.inf
    ends_at_success: bool = False
    random_layout: bool = False
    expert_numbers: ExpertNumbers | None = None

    @classmethod
    def of(
        cls, system: System, *, dt: float, u_min: float | Sequence[float], u_max: float | Sequence[float],
        state_weight: float | Sequence[float], control_weight: float | Sequence[float],
        goal: float | Sequence[float] = 0.0, control_reference: float | Sequence[float] = 0.0,
        integrator: str = "rk4", name: str | None = None, **rest: Any,
    ) -> Self:  # fmt: skip
        """A task from plain numbers, one for all entries or one each; `rest`: fields of Task.

        Raises ShapeError for a wrong count, ConfigError for numbers that make no task.
        """
        if integrator not in INTEGRATORS:
            raise ConfigError(f"integrator: expected one of {', '.join(INTEGRATORS)}, got '{integrator}'")
        for key, value in {"dt": dt, "horizon": rest.get("horizon", 1)}.items():
            if not 0.0 < value < math.inf:
                raise ConfigError(f"{key}: expected a positive number, got {value}")
        n, m = system.n, system.m
        return cls(
            name=name or system.name, system=system, dt=dt, goal=_vector("goal", goal, n),
            u_lo=_vector("u_min", u_min, m), u_hi=_vector("u_max", u_max, m),
            control_reference=_vector("control_reference", control_reference, m),
            state_weight=_vector("state_weight", state_weight, n),
            control_weight=_vector("control_weight", control_weight, m),
            integrator=integrator, **rest,
        )  # fmt: skip

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

    @property
    def expert(self) -> ExpertNumbers:
        """The expert's numbers; ConfigError where the task has none."""
        if self.expert_numbers is None:
            raise ConfigError(f"task '{self.name}' has no long-horizon MPC expert; use goal-mpc")
        return self.expert_numbers

    def limited(self, u: Tensor) -> Tensor:
        """u (..., m) clamped to its limits: what the robot does of a command."""
        return torch.minimum(torch.maximum(u, self.u_lo), self.u_hi)

    def step(self, x: Tensor, u: Tensor) -> Tensor:
        """Successor (B, n) of x (B, n) under u (B, m) clamped to its limits; differentiable; short MRP set,
        angles wrapped.
        """
        move = self.system.rk4 if self.integrator == "rk4" else self.system.semi_implicit
        after = self.system.to_short_mrp(move(x, self.limited(u), self.dt, self.substeps))
        return self.system.wrapped(after, self.angle_low)

    def error(self, x: Tensor) -> Tensor:
        """x (..., n) minus the goal, angles in [-pi, pi)."""
        return self.system.wrapped(x - self.goal.to(x))

    def for_expert(self) -> "Task":
        """The task with the expert's horizon, weights and margin in place of the policy's."""
        expert = self.expert
        return replace(
            self, horizon=expert.horizon, safety_margin=expert.safety_margin,
            state_weight=self.state_weight.new_tensor(expert.state_weight),
            control_weight=self.control_weight.new_tensor(expert.control_weight),
        )  # fmt: skip

    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """Start state (n,) of an episode; depends on (seed, episode) alone."""
        return self.spread_start(np.random.default_rng((seed, episode)))

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """A state (n,) such as flight passes through: data sets start here too, so that policies can
        recover."""
        raise self._lacks("spread_start")

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Reward (...) of arriving in x (..., n) by u (..., m), both as the robot had them; without u, its
        control term is 0.
        """
        raise self._lacks("reward")

    def success(self, states: Tensor) -> Tensor:
        """Whether each of B episodes without failure, states (B, S+1, n), did its task: bool (B,)."""
        raise self._lacks("success")

    def near(self, x: Tensor) -> Tensor:
        """Whether x (..., n) counts towards the HOLD steps that end an episode in success: bool (...)."""
        return torch.zeros(x.shape[:-1], dtype=torch.bool, device=x.device)

    def _lacks(self, rule: str) -> ConfigError:
        return ConfigError(f"task '{self.name}' can only be solved: give it a subclass of Task with '{rule}'")


def _vector(name: str, value: float | Sequence[float], size: int) -> Tensor:
    """One number for all entries or `size` of them, as float64 (size,)."""
    vector = torch.as_tensor(value, dtype=torch.float64)
    if vector.ndim > 1 or (vector.ndim == 1 and vector.shape[0] != size):
        raise ShapeError(f"{name}: expected one number or {size}, got shape {tuple(vector.shape)}")
    return vector.expand(size).clone()


def held(near: Tensor, steps: int = HOLD) -> Tensor:
    """Whether near (B, S) was true at `steps` consecutive steps: bool (B,)."""
    if near.shape[1] < steps:
        return near.new_zeros(near.shape[0])
    return near.unfold(1, steps, 1).all(-1).any(-1)
