"""Goal MPC: the waypoint is the goal at every knot; no network."""

from torch import Tensor

from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.base import Policy


class GoalMpcPolicy(Policy):
    """theta_t = goal for t = 1..T, with the task's obstacles: the plainest MPC, a baseline of every table."""

    def memory(self, x0: Tensor) -> Tensor:
        """Nothing: (B, 0)."""
        return x0.new_zeros(x0.shape[0], 0)

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """The goal at every knot, its angles on the branch of x0."""
        goal = self.task.system.to_branch(self.task.goal.to(x0).expand_as(x0), x0)
        return NetworkAnswer(goal[:, None].expand(plan.shape).contiguous(), z, x0.new_zeros(x0.shape[0]))
