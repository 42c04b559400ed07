"""Straight line: waypoints on the segment from the first position to the goal, blind to obstacles."""

import torch
from torch import Tensor

from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.hover import position_block
from deqmpc_core.types import Spheres

MEAN_SPEED = 0.3
"""Slow enough [m/s] that the robot keeps to the line: a baseline that strays from it tests nothing."""


class StraightLinePolicy(Policy):
    """A point moves from start to goal with minimum jerk; the solver tracks it level, without spheres.

    The memory (B, 4) is the start position [m] and the time flown [s].
    """

    def memory(self, x0: Tensor) -> Tensor:
        """Start here, now."""
        return torch.cat((x0[:, position_block(self.task)], torch.zeros_like(x0[:, :1])), 1)

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """Positions and world velocities of the moving point (body frame: level, yaw 0)."""
        block, goal = position_block(self.task), self.task.goal.to(x0)
        start, clock = z[:, None, :3], z[:, 3:]
        span = goal[block] - start
        length = span.norm(dim=-1, keepdim=True).clamp_min(1e-9)
        ahead = self.task.dt * torch.arange(1, plan.shape[1] + 1, dtype=x0.dtype, device=x0.device)
        duration = length / MEAN_SPEED
        part = ((clock + ahead)[..., None] / duration).clamp(max=1.0)
        travelled = part**3 * (10.0 - 15.0 * part + 6.0 * part**2)
        speed = 30.0 * part**2 * (1.0 - part) ** 2 / duration
        theta = goal.repeat(plan.shape[0], plan.shape[1], 1)
        theta[..., block] = start + span * travelled
        rate = slice(block.start + self.task.q, block.stop + self.task.q)
        theta[..., rate] = span * speed
        later = torch.cat((z[:, :3], clock + self.task.dt), 1)
        return NetworkAnswer(theta, later, torch.zeros_like(x0[:, 0]))

    def obstacles(self, seen: Spheres | None) -> Spheres | None:
        """None at all."""
        return Spheres(torch.zeros(0, 3, dtype=torch.float64), 0.0)
