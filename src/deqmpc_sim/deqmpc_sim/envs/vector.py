"""A gymnasium VectorEnv over a task's differentiable batch step."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.envs.episodes import Episodes

RENDER_MODES = ("rgb_array",)


def named_task(task: str | Task, options: dict[str, Any]) -> Task:
    """The task itself, or the one of that name; ConfigError for options of a task that is made already."""
    if isinstance(task, str):
        return load_task(task, **options)
    if options:
        raise ConfigError(f"{min(options)}: options go with a task's name; this task is made already")
    return task


def spaces(task: Task) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Box]:
    """Observation and action space of one environment."""
    centers = 0 if task.spheres is None or task.fixed_layout else task.spheres.center.numel()
    observation = gymnasium.spaces.Box(-np.inf, np.inf, (task.n + centers,), np.float64)
    return observation, gymnasium.spaces.Box(task.u_lo.numpy(), task.u_hi.numpy(), dtype=np.float64)


def render_mode_of(mode: str | None) -> str | None:
    """The mode if it is known; ConfigError otherwise."""
    if mode is not None and mode not in RENDER_MODES:
        raise ConfigError(f"render_mode: expected one of {', '.join(RENDER_MODES)} or None, got '{mode}'")
    return mode


class TaskVectorEnv(VectorEnv):
    """num_envs independent episodes; action (B, m), observation (B, n) in SI units, the task's frame.

    Where spheres differ by episode (qpole_dyn_obs; layout="random") the observation is (B, n + 3k): the
    state, then the k centres as they are now. An episode terminates on failure (reward 0) and, in tasks with
    ends_at_success, on success; it is truncated after task.episode_steps. The next step begins a new one.
    info has arrays (B,) and, as in gymnasium, masks of the same name with a leading underscore: failure (the
    reason) and success at the end of an episode, episode_number always.
    """

    def __init__(
        self, task: str | Task, num_envs: int = 1, render_mode: str | None = None, **options: Any
    ) -> None:
        self.task, self.num_envs = named_task(task, options), num_envs
        self.render_mode = render_mode_of(render_mode)
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "render_modes": list(RENDER_MODES),
            "render_fps": round(1.0 / self.task.dt),
        }
        self.single_observation_space, self.single_action_space = spaces(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.episodes = Episodes(self.task, num_envs)
        self._seeded = False
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """A new episode everywhere. One seed: environment b gets its episodes b, b + B, b + 2 B …; a list:
        each environment the episodes 0, 1, 2 … of its own; None: the next episodes.
        """
        del options
        if isinstance(seed, list):
            if len(seed) != self.num_envs:
                raise ShapeError(f"seed: expected one or {self.num_envs}, got {len(seed)}")
            self.episodes.seed([self._fresh_seed() if s is None else s for s in seed])
        elif seed is not None or not self._seeded:
            super().reset(seed=seed)
            self.episodes.seed(self._fresh_seed() if seed is None else int(seed))
        self._seeded = True
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self.episodes.begin(~self._ended)
        return self.episodes.observation, self._numbers()

    def step(self, actions: NDArray[np.floating]) -> tuple[Any, ...]:
        """One interval; environments that ended at the last step begin anew instead, with reward 0."""
        actions = np.asarray(actions)
        if actions.shape != self.action_space.shape:
            raise ShapeError(f"actions: expected shape {self.action_space.shape}, got {actions.shape}")
        outcome = self.episodes.advance(actions, self._ended)
        self._ended = outcome.terminated | outcome.truncated
        info = self._numbers() | {
            "failure": outcome.failure, "_failure": self._ended.copy(),
            "success": outcome.success, "_success": self._ended.copy(),
        }  # fmt: skip
        return self.episodes.observation, outcome.reward, outcome.terminated, outcome.truncated, info

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """A picture (H, W, 3) of each environment; None unless render_mode is "rgb_array"."""
        if self.render_mode is None:
            return None
        from deqmpc_sim.render import picture

        centers = self.episodes.centers
        return tuple(
            picture(self.task, self.episodes.x[b], None if centers is None else centers[b])
            for b in range(self.num_envs)
        )

    def _fresh_seed(self) -> int:
        return int(self.np_random.integers(2**31))

    def _numbers(self) -> dict[str, Any]:
        every = np.ones(self.num_envs, dtype=np.bool_)
        return {"episode_number": self.episodes.number.copy(), "_episode_number": every}


def make_env(task: str | Task, num_envs: int = 1, **options: Any) -> TaskVectorEnv:
    """The batch environment of a task by name (options go to load_task) or of a Task; render_mode="rgb_array"
    for pictures."""
    return TaskVectorEnv(task, num_envs, **options)
