"""Windows of consecutive knots for training, cut from episodes. B batch, K knots, R rows, k spheres."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError, DataError
from deqmpc_core.nets import Scaling
from deqmpc_core.systems import System
from deqmpc_core.tasks import Task
from deqmpc_train.data.episodes import Array, Episodes

_SMALLEST_SCALE = 0.01


class Window(NamedTuple):
    """x (B, K, n) consecutive expert states on one branch; mask (B, K): False where the episode had ended.

    u (B, K-1, m): the actions between them, zero where masked; centers (B, K, k, 3): the spheres at each
    knot; both None unless asked for.
    """

    x: Tensor
    mask: Tensor
    u: Tensor | None = None
    centers: Tensor | None = None


class Windows:
    """All windows of K knots of some episodes that have at least one successor state.

    A window that runs past its episode repeats the last state there and masks it.
    """

    def __init__(
        self, episodes: Episodes, length: int, system: System, actions: bool = False,
        task: Task | None = None,
    ) -> None:  # fmt: skip
        """actions: windows bring u. task: windows bring the centres, rebuilt by its rule of motion."""
        self.states, self.length, self.system = torch.from_numpy(episodes.states), length, system
        self.actions = _actions(episodes) if actions else None
        self.centers = None if task is None else torch.from_numpy(sphere_paths(episodes, task))
        first, last = episodes.bounds[:-1], episodes.bounds[1:] - 1
        pairs = [
            np.stack([np.arange(a, b), np.full(b - a, b)]) for a, b in zip(first, last, strict=True) if b > a
        ]
        if not pairs:
            raise DataError("no episode has two states; make a data set of longer episodes")
        self.starts, self.ends = torch.from_numpy(np.concatenate(pairs, 1))

    def __len__(self) -> int:
        return self.starts.shape[0]

    def take(self, index: NDArray[np.int64]) -> Window:
        """The windows of the given numbers."""
        chosen = torch.from_numpy(index)
        knots = self.starts[chosen][:, None] + torch.arange(self.length)
        end = self.ends[chosen][:, None]
        rows = torch.minimum(knots, end)
        return Window(
            continuous(self.system, self.states[rows]), knots <= end,
            None if self.actions is None else self.actions[rows[:, :-1]],
            None if self.centers is None else self.centers[rows],
        )  # fmt: skip

    def draw(self, seed: int, step: int, batch: int, share: slice | None = None) -> Window:
        """A uniform batch that depends on (seed, step) alone, so a resumed run needs no generator state; its
        given share alone."""
        generator = np.random.default_rng((seed, step))
        return self.take(generator.integers(0, len(self), batch)[share or slice(None)])

    def spread(self, count: int) -> list[int]:
        """At most `count` window numbers, evenly spaced: a fixed validation set."""
        return np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)).tolist()


def _actions(episodes: Episodes) -> Tensor:
    if episodes.actions is None:
        raise ConfigError("windows with actions need episodes with actions; load them with load_episodes")
    return torch.from_numpy(np.where(episodes.last[:, None], 0.0, episodes.actions))


def sphere_paths(episodes: Episodes, task: Task) -> Array:
    """Sphere centres (R, k, 3) at every row: moved on from each episode's first ones by the task's rule."""
    centers = episodes.centers
    if centers is None:
        if task.spheres is None or not task.fixed_layout:
            raise ConfigError(f"task '{task.name}': the episodes do not say where its spheres begin")
        centers = task.spheres.center.numpy()[None].repeat(len(episodes), 0)
    paths = np.empty((len(episodes.states), *centers.shape[1:]))
    now, states = torch.from_numpy(centers), torch.from_numpy(episodes.states)
    first, rows = episodes.bounds[:-1], np.diff(episodes.bounds)
    for step in range(int(rows.max())):
        going = np.flatnonzero(rows > step)
        at = first[going] + step
        paths[at] = now[going].numpy()
        now = now.clone()
        now[going] = task.moved(now[going], states[at])
    return paths


def continuous(system: System, x: Tensor) -> Tensor:
    """x (B, K, n) with each knot's attitude and angles on the branch of the knot before: no jump in a
    window."""
    knots = [x[:, 0]]
    for k in range(1, x.shape[1]):
        knots.append(system.to_branch(x[:, k], knots[-1]))
    return torch.stack(knots, 1)


def scaling(windows: Windows, task: Task, horizon: int, count: int = 20_000) -> Scaling:
    """Units of a task's network from its training windows (see nets.Scaling)."""
    window = windows.take(np.array(windows.spread(count)))
    start, later = window.x[:, 0], window.x[:, 1 : horizon + 1]
    valid = window.mask[:, 1 : horizon + 1, None]
    delta = _root_mean_square(later - start[:, None], valid)
    output = torch.cat((delta[: task.q] / task.dt, _root_mean_square(later, valid)[task.q :]))
    spread = start.std(0).clamp_min(_SMALLEST_SCALE)
    return Scaling(start.mean(0), spread, delta.clamp_min(_SMALLEST_SCALE), output.clamp_min(_SMALLEST_SCALE))


def _root_mean_square(values: Tensor, valid: Tensor) -> Tensor:
    return ((values.square() * valid).sum((0, 1)) / valid.sum()).sqrt()
