"""Many flights side by side whose steps carry gradients."""

from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.tasks import Task
from deqmpc_core.types import Spheres
from deqmpc_sim.envs import episode_starts

_RUNAWAY = 40.0  # m, rad, m/s or rad/s: a flying robot beyond it is lost, and its model no longer sound


class Step(NamedTuple):
    """after (N, n), with gradients; reward (N,), 0 after a failure; failed (or run away), ended (N,): ended
    flights (failed or out of time) begin anew."""

    after: Tensor
    reward: Tensor
    failed: Tensor
    ended: Tensor


class Environments:
    """N flights of a task: x (N, n), age (N,) in steps, centers (N, k, 3) where they differ by episode; the
    next episode to begin. Starts depend on (seed, episode) alone; first ages are spread, so that flights do
    not end together."""

    def __init__(self, task: Task, count: int, seed: int) -> None:
        self.task, self.seed, self.next = task, seed, 0
        self.x = torch.zeros(count, task.n, dtype=torch.float64)
        self.age = torch.zeros(count, dtype=torch.int64)
        self.centers: Tensor | None = None
        self._begin(torch.ones(count, dtype=torch.bool))
        self.age = torch.arange(count) * task.episode_steps // count

    @property
    def spheres(self) -> Spheres | None:
        """What the flights see now; None: the task's own."""
        if self.centers is None or self.task.spheres is None:
            return None
        return Spheres(self.centers, self.task.spheres.radius)

    def step(self, u: Tensor) -> Step:
        """One interval under u (N, m). Gradients flow from `after` back through x, until `cut`."""
        before, centers = self.x, self.centers
        after = self.task.step(before, u)
        failed = self._failed(before.detach(), after.detach()) | self._ran_away(after.detach())
        if centers is not None:
            self.centers = self.task.moved(centers, before.detach())
        self.age = self.age + 1
        ended = failed | (self.age >= self.task.episode_steps)
        reward = torch.where(failed, 0.0, self.task.reward(after, u))
        self.x = after
        return Step(after, reward, failed, ended)

    def renew(self, ended: Tensor) -> None:
        """Begin anew where a flight has ended."""
        if ended.any():
            self._begin(ended)

    def cut(self) -> None:
        """Let no gradient pass from later steps to earlier ones."""
        self.x = self.x.detach()

    def _begin(self, which: Tensor) -> None:
        rows = which.nonzero()[:, 0]
        starts, fresh = episode_starts(self.task, self.seed, range(self.next, self.next + len(rows)))
        self.x = self.x.index_copy(0, rows, starts)
        self.age = self.age.index_fill(0, rows, 0)
        self.next += len(rows)
        if fresh is not None:
            centers = fresh.new_zeros(len(self.x), *fresh.shape[1:]) if self.centers is None else self.centers
            self.centers = centers.index_copy(0, rows, fresh)

    def _failed(self, before: Tensor, after: Tensor) -> Tensor:
        reasons = self.task.failures(before, after, self.centers)
        return torch.tensor([why is not None for why in reasons])

    def _ran_away(self, x: Tensor) -> Tensor:
        """Only where failing is worse than flying on: where rewards are positive."""
        if self.task.system.mrp is None:
            return torch.zeros(len(x), dtype=torch.bool)
        return ~(x.abs().amax(1) <= _RUNAWAY)
