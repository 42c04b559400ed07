"""Hover: hold the position of the first tick; the baseline that never moves."""

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.base import Policy
from deqmpc_core.tasks import Task


def position_block(task: Task) -> slice:
    """Where a task's state holds its three position coordinates."""
    start = task.system.position
    if start is None:
        raise ConfigError(f"task '{task.name}' has no position in space; use goal-mpc as its baseline")
    return slice(start, start + 3)


class HoverPolicy(Policy):
    """theta_t = the goal's state at the first tick's position; the memory is that position (B, 3)."""

    def memory(self, x0: Tensor) -> Tensor:
        """Where to stay."""
        return x0[:, position_block(self.task)].clone()

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """The held position, at rest."""
        theta = self.task.goal.to(x0).repeat(plan.shape[0], plan.shape[1], 1)
        theta[..., position_block(self.task)] = z[:, None]
        return NetworkAnswer(theta, z, torch.zeros_like(x0[:, 0]))
