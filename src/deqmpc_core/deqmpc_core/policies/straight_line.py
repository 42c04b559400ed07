"""Straight line: waypoints on the segment from the first position to the goal, blind to obstacles."""

import torch
from torch import Tensor

from deqmpc_core.nets import NetworkAnswer
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.hover import position_block
from deqmpc_core.types import Spheres

SPEED = 0.5


class StraightLinePolicy(Policy):
    """A point moves at SPEED [m/s] from start to goal; the solver tracks it level, without spheres.

    The memory (B, 4) is the start position [m] and the time flown [s].
    """

    def memory(self, x0: Tensor) -> Tensor:
        """Start here, now."""
        return torch.cat((x0[:, position_block(self.task)], torch.zeros_like(x0[:, :1])), 1)

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor) -> NetworkAnswer:
        """Positions and world velocities of the moving point (body frame: level, yaw 0)."""
        block, goal = position_block(self.task), self.task.goal.to(x0)
        start, clock = z[:, None, :3], z[:, 3:]
        span = goal[block] - start
        length = span.norm(dim=-1, keepdim=True).clamp_min(1e-9)
        ahead = self.task.dt * torch.arange(1, plan.shape[1] + 1, dtype=x0.dtype, device=x0.device)
        travelled = SPEED * (clock + ahead)[..., None]
        theta = goal.repeat(plan.shape[0], plan.shape[1], 1)
        theta[..., block] = start + span * (travelled / length).clamp(max=1.0)
        rate = slice(block.start + self.task.q, block.stop + self.task.q)
        theta[..., rate] = SPEED * span / length * (travelled < length)
        later = torch.cat((z[:, :3], clock + self.task.dt), 1)
        return NetworkAnswer(theta, later, torch.zeros_like(x0[:, 0]))

    def obstacles(self, seen: Spheres | None) -> Spheres | None:
        """None at all."""
        return Spheres(torch.zeros(0, 3, dtype=torch.float64), 0.0)
