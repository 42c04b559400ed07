"""A policy that plans in flight: what may change between two ticks, what is carried to the next."""

from typing import Any

import numpy as np
import torch

from deqmpc_core.errors import DeqmpcError
from deqmpc_core.flight.obstacle_set import ObstacleSet
from deqmpc_core.policies.carry import carried
from deqmpc_core.types import Plan


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
        when it will start cold."""
        self._policy = policy
        if self._state is None or self.plan is None:
            return False
        try:
            self._state = carried(policy, self.plan)
        except DeqmpcError:
            self._state = None
        return self._state is not None
