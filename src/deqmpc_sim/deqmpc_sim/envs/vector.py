"""A gymnasium VectorEnv over a task's differentiable batch step."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from deqmpc_core.tasks import Task, load_task


class TaskVectorEnv(VectorEnv):
    """num_envs independent episodes; observation (B, n) and action (B, m) in SI units, the task's frame.

    An episode terminates on failure and is truncated after episode_steps; the next step resets it.
    """

    def __init__(self, task: Task, num_envs: int) -> None:
        self.task, self.num_envs = task, num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (task.n,), np.float64)
        self.single_action_space = gymnasium.spaces.Box(
            task.u_lo.numpy(), task.u_hi.numpy(), dtype=np.float64
        )
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seed, self._episode = 0, 0
        self._x = torch.zeros(num_envs, task.n, dtype=torch.float64)
        self._age = np.zeros(num_envs, dtype=np.int64)
        self._ended = np.ones(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """New episodes 0..B-1 of the seed (or of a fresh one)."""
        del options
        first = seed[0] if isinstance(seed, list) else seed
        self._seed = int(np.random.default_rng().integers(2**31)) if first is None else first
        self._episode = 0
        self._begin(np.ones(self.num_envs, dtype=np.bool_))
        return self._x.numpy().copy(), {}

    def step(self, actions: NDArray[np.float64]) -> tuple[Any, ...]:
        """One interval; environments that ended at the last step begin anew instead, with reward 0."""
        before, fresh = self._x, self._ended.copy()
        u = self.task.limited(torch.as_tensor(np.asarray(actions), dtype=torch.float64))
        after = self.task.step(before, u)
        reasons = [
            None if f else self.task.failure(a, b) for f, a, b in zip(fresh, before, after, strict=True)
        ]
        failed = np.array([why is not None for why in reasons])
        reward = np.where(failed | fresh, 0.0, self.task.reward(after, u).numpy())
        self._x, self._age = after, self._age + 1
        truncated = (self._age >= self.task.episode_steps) & ~failed & ~fresh
        self._begin(fresh)
        self._ended = (failed | truncated) & ~fresh
        return self._x.numpy().copy(), reward, failed, truncated, {"failure": np.array(reasons, dtype=object)}

    def _begin(self, which: NDArray[np.bool_]) -> None:
        x = self._x.clone()
        for b in np.flatnonzero(which):
            x[b] = torch.from_numpy(self.task.start(self._seed, self._episode))
            self._episode += 1
        self._x = x
        self._age[which], self._ended[which] = 0, False


def make_env(task: str | Task, num_envs: int = 1, **options: Any) -> TaskVectorEnv:
    """The batch environment of a task by name (options go to load_task) or of a Task."""
    return TaskVectorEnv(load_task(task, **options) if isinstance(task, str) else task, num_envs)
