"""Episodes of a task side by side: the state behind the single and the vector environment."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.tasks import Task
from deqmpc_core.tasks.task import HOLD

Flags = NDArray[np.bool_]


class Outcome(NamedTuple):
    """What a step brought B episodes: reward, terminated (failure, or success where that ends an episode),
    truncated (all steps done), failure (the reason or None), success (told at the end), each (B,)."""

    reward: NDArray[np.float64]
    terminated: Flags
    truncated: Flags
    failure: NDArray[np.object_]
    success: Flags


def episode_starts(task: Task, seed: int, episodes: Iterable[int]) -> tuple[Tensor, Tensor | None]:
    """Start states (B, n) of episodes of a seed, and their sphere centres (B, k, 3) unless the task's layout
    is fixed.
    """
    episodes = list(episodes)
    starts = torch.from_numpy(np.stack([task.start(seed, e) for e in episodes]))
    if task.fixed_layout:
        return starts, None
    layouts = [task.obstacles(seed, e) for e in episodes]
    return starts, torch.from_numpy(np.stack([layout for layout in layouts if layout is not None]))


class Episodes:
    """B episodes of a task; x (B, n) is their state, centers (B, k, 3) their spheres where those differ by
    episode, number (B,) says which episode of its seed each row is in.
    """

    def __init__(self, task: Task, count: int) -> None:
        self.task, self.count = task, count
        self.x = torch.zeros(count, task.n, dtype=torch.float64)
        self.centers: Tensor | None = None
        if task.spheres is not None and not task.fixed_layout:
            self.centers = task.spheres.center.to(self.x).repeat(count, 1, 1)
        self.number = np.zeros(count, dtype=np.int64)
        self._seeds, self._next, self._stride = [0] * count, np.zeros(count, dtype=np.int64), 1
        self._age = np.zeros(count, dtype=np.int64)
        self._near = np.zeros(count, dtype=np.int64)
        self._states = torch.zeros(count, task.episode_steps + 1, task.n, dtype=torch.float64)

    def seed(self, seeds: int | Sequence[int]) -> None:
        """From here on row b has episodes b, b + B, b + 2 B … of one seed, or 0, 1, 2 … of its own."""
        if isinstance(seeds, int):
            self._seeds = [seeds] * self.count
            self._next, self._stride = np.arange(self.count, dtype=np.int64), self.count
        else:
            self._seeds = list(seeds)
            self._next, self._stride = np.zeros(self.count, dtype=np.int64), 1

    def begin(self, rows: Flags) -> None:
        """The next episode in each of the rows (B,)."""
        self.x = self.x.clone()
        for b in np.flatnonzero(rows):
            start, centers = episode_starts(self.task, self._seeds[b], [int(self._next[b])])
            self.x[b] = start[0]
            if centers is not None and self.centers is not None:
                self.centers = self.centers.index_copy(0, torch.tensor([b]), centers)
        self.number[rows] = self._next[rows]
        self._next[rows] += self._stride
        self._age[rows] = self._near[rows] = 0
        self._states[:, 0] = torch.where(torch.from_numpy(rows)[:, None], self.x, self._states[:, 0])

    @property
    def observation(self) -> NDArray[np.float64]:
        """State (B, n), or where spheres differ by episode state and centres (B, n + 3k)."""
        if self.centers is None:
            return self.x.numpy().copy()
        return torch.cat((self.x, self.centers.flatten(1)), 1).numpy()

    @torch.no_grad()
    def advance(self, actions: NDArray[np.floating], fresh: Flags) -> Outcome:
        """One interval under actions (B, m); rows in fresh (B,) begin their next episode instead."""
        task, before = self.task, self.x
        u = task.limited(torch.as_tensor(np.asarray(actions), dtype=torch.float64))
        after = task.step(before, u)
        failure = np.array(task.failures(before, after, self.centers), dtype=object)
        failure[fresh] = None
        failed = np.array([why is not None for why in failure])
        reward = np.where(failed | fresh, 0.0, task.reward(after, u).numpy())
        self._move(before, after)
        settled = self._settled(after) & ~failed & ~fresh
        truncated = (self._age >= task.episode_steps) & ~failed & ~settled & ~fresh
        success = self._succeeded(settled | truncated)
        if fresh.any():
            self.begin(fresh)
        return Outcome(reward, failed | settled, truncated, failure, success)

    def _move(self, before: Tensor, after: Tensor) -> None:
        """A step that led to NaN or infinity, which is a failure, leaves the state where it was."""
        if self.centers is not None:
            self.centers = self.task.moved(self.centers, before)
        self.x = torch.where(torch.isfinite(after).all(-1, keepdim=True), after, before)
        self._age = np.minimum(self._age + 1, self.task.episode_steps)
        self._states[torch.arange(self.count), torch.from_numpy(self._age)] = self.x

    def _settled(self, after: Tensor) -> Flags:
        self._near = np.where(self.task.near(after).numpy(), self._near + 1, 0)
        return (self._near >= HOLD) & self.task.ends_at_success

    def _succeeded(self, ended: Flags) -> Flags:
        success = np.zeros(self.count, dtype=np.bool_)
        for b in np.flatnonzero(ended):
            success[b] = bool(self.task.success(self._states[b : b + 1, : self._age[b] + 1])[0])
        return success
