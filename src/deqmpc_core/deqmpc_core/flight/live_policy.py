"""A policy that plans in flight: what may change between two ticks, what is carried to the next."""

from contextlib import suppress
from typing import Any

import numpy as np
import torch

from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.flight.obstacle_set import ObstacleSet
from deqmpc_core.policies.carry import carried, resized
from deqmpc_core.types import Observation, Plan, Spheres


class LivePolicy:
    """What the pilots share: the policy, its warm start, and the spheres and limits it plans within."""

    def __init__(self, policy: Any, task: Any) -> None:
        """policy: deqmpc_core.policies' interface; task: deqmpc_core.tasks.Task."""
        self._policy, self._task = policy, task
        self._origin = np.asarray(task.origin, dtype=float)
        self.obstacles: ObstacleSet | None = None
        """What to keep clear of from the next tick on; None: the task's own spheres."""
        self.limits: tuple[torch.Tensor, torch.Tensor] | None = None
        """Control limits (u_lo (1, m), u_hi (1, m)) from the next tick on; None: the task's own."""
        self._tried: set[tuple[int, bool]] = set()
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next tick starts cold."""
        self.plan: Plan | None = None
        self._state: Any = None
        self._last_tick = 0.0

    @property
    def policy(self) -> Any:
        """The policy that plans."""
        return self._policy

    def take_over(self, policy: Any) -> bool:
        """Plan with another policy from the next tick on; True when it goes on from the plan under way, False
        when it will start cold. Whatever it raises, the policy before plans on."""
        if self.obstacles is not None:
            self._try(policy, self.obstacles)
        state = None
        if self._state is not None and self.plan is not None:
            with suppress(DeqmpcError):
                state = carried(policy, self.plan)
        self._policy, self._state, self._tried = policy, state, set()
        return state is not None

    def avoid(self, obstacles: ObstacleSet) -> None:
        """Keep clear of other spheres from the next tick on. Raises ConfigError when the policy cannot plan
        amid as many of their kind; the set before then stays."""
        kind = (len(obstacles.radii), obstacles.moving)
        if kind not in self._tried:
            self._try(self._policy, obstacles)
        self._tried.add(kind)
        self.obstacles = obstacles

    def _try(self, policy: Any, obstacles: ObstacleSet) -> None:
        """One cold round from the task's first start amid the spheres. Raises ConfigError."""
        times = obstacles.stamp + float(self._task.dt) * np.arange(1.0, policy.solver.horizon + 1.0)
        places = torch.from_numpy(obstacles.at(times) - self._origin)
        center = places[None] if obstacles.moving else places[0]
        x = torch.from_numpy(np.asarray(self._task.start(0, 0), dtype=float))[None]
        seen = Observation(x, Spheres(center, torch.from_numpy(obstacles.radii)[None]), self.limits)
        try:
            policy(seen, resized(policy.initial_state(1), len(obstacles.radii)), iterations=1, knots=1.0)
        except Exception as error:
            count = len(obstacles.radii)
            raise ConfigError(f"the policy cannot plan amid {count} spheres: {error!r}") from error
