"""One environment of a task, for what is written for gymnasium.Env; and every task under its gymnasium id."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import ShapeError
from deqmpc_core.tasks import Task, task_names
from deqmpc_sim.envs.episodes import Episodes
from deqmpc_sim.envs.vector import RENDER_MODES, named_task, render_mode_of, spaces

_ONGOING = np.zeros(1, dtype=np.bool_)


class TaskEnv(gymnasium.Env):
    """`TaskVectorEnv` with one environment, no batch axis and no autoreset; info has failure, success and
    episode_number."""

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 20}

    def __init__(self, task: str | Task, render_mode: str | None = None, **options: Any) -> None:
        self.task, self.render_mode = named_task(task, options), render_mode_of(render_mode)
        self.metadata = self.metadata | {"render_fps": round(1.0 / self.task.dt)}
        self.observation_space, self.action_space = spaces(self.task)
        self.episodes = Episodes(self.task, 1)
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Episode 0 of a seed; without a seed the next one."""
        super().reset(seed=seed, options=options)
        if seed is not None or not self._seeded:
            self.episodes.seed(int(self.np_random.integers(2**31)) if seed is None else int(seed))
        self._seeded = True
        self.episodes.begin(~_ONGOING)
        return self.episodes.observation[0], {"episode_number": int(self.episodes.number[0])}

    def step(
        self, action: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """One interval under action (m,)."""
        action = np.asarray(action)
        if action.shape != self.action_space.shape:
            raise ShapeError(f"action: expected shape {self.action_space.shape}, got {action.shape}")
        outcome = self.episodes.advance(action[None], _ONGOING)
        info = {
            "failure": outcome.failure[0],
            "success": bool(outcome.success[0]),
            "episode_number": int(self.episodes.number[0]),
        }
        ends = bool(outcome.terminated[0]), bool(outcome.truncated[0])
        return self.episodes.observation[0], float(outcome.reward[0]), *ends, info

    def render(self) -> NDArray[np.uint8] | None:
        """A picture (H, W, 3); None unless render_mode is "rgb_array"."""
        if self.render_mode is None:
            return None
        from deqmpc_sim.render import picture

        centers = self.episodes.centers
        return picture(self.task, self.episodes.x[0], None if centers is None else centers[0])


def gymnasium_id(task: str) -> str:
    """The id of a task by name: deqmpc/QpoleDynObs-v0 of qpole_dyn_obs."""
    return f"deqmpc/{''.join(part.capitalize() for part in task.split('_'))}-v0"


def register() -> None:
    """Every task under `gymnasium_id`, for gymnasium.make and gymnasium.make_vec."""
    for task in task_names():
        if gymnasium_id(task) not in gymnasium.registry:
            gymnasium.register(
                gymnasium_id(task),
                entry_point="deqmpc_sim.envs.single:TaskEnv",
                vector_entry_point="deqmpc_sim.envs.vector:TaskVectorEnv",
                kwargs={"task": task},
            )
