"""Expert episodes from parquet, cut into windows of consecutive knots."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import DataError
from deqmpc_core.nets import Scaling
from deqmpc_core.systems import System
from deqmpc_core.tasks import Task

HELD_OUT = 0.1
_SMALLEST_SCALE = 0.01


@dataclass(frozen=True)
class Episodes:
    """states (R, n) of all episodes one after another; bounds (E + 1,) row numbers of their borders."""

    states: NDArray[np.float64]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def split(self) -> tuple["Episodes", "Episodes"]:
        """Training episodes and the last tenth of them, held out (A.6.1)."""
        if len(self) < 2:
            raise DataError(f"a data set needs at least 2 episodes to hold one out, got {len(self)}")
        held = max(1, round(HELD_OUT * len(self)))
        cut = self.bounds[-1 - held]
        return (
            Episodes(self.states[:cut], self.bounds[: len(self.bounds) - held]),
            Episodes(self.states[cut:], self.bounds[-1 - held :] - cut),
        )


class Window(NamedTuple):
    """x (B, K, n) consecutive expert states on one branch; mask (B, K): False where the episode had ended."""

    x: Tensor
    mask: Tensor


def read_info(directory: Path) -> dict[str, Any]:
    """info.json of a data set."""
    file = directory / "info.json"
    try:
        return json.loads(file.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"cannot read '{file}': {error}; make a data set with deqmpc data make") from error


def load_episodes(directory: Path, task: Task) -> Episodes:
    """Episodes of a directory with episodes.parquet and info.json, checked against the task."""
    info = read_info(directory)
    if info.get("task") != task.name:
        raise DataError(
            f"'{directory}' holds task '{info.get('task')}', not '{task.name}'; give matching --data"
        )
    file = directory / "episodes.parquet"
    try:
        table = pq.read_table(file, columns=["episode", "step", "state"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise DataError(f"cannot read '{file}': {error}") from error
    number = table["episode"].to_numpy()
    step = table["step"].to_numpy()
    state = table["state"].combine_chunks()
    flat = np.asarray(state.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    if flat.size != len(number) * task.n:
        raise DataError(
            f"'{file}': column 'state' holds {flat.size // max(len(number), 1)} numbers, not {task.n}"
        )
    return _ordered(flat.reshape(-1, task.n), number, step, file)


def _ordered(
    states: NDArray[np.float64], number: NDArray[np.int32], step: NDArray[np.int32], file: Path
) -> Episodes:
    order = np.lexsort((step, number))
    states, number = states[order], number[order]
    bad = ~np.isfinite(states).all(1)
    if bad.any():
        raise DataError(
            f"'{file}': column 'state' of episode {number[bad][0]} is not finite; remove the episode"
        )
    changes = np.flatnonzero(np.diff(number)) + 1
    return Episodes(states, np.concatenate([[0], changes, [len(states)]]).astype(np.int64))


class Windows:
    """All windows of K knots of some episodes that have at least one successor state.

    A window that runs past its episode repeats the last state there and masks it.
    """

    def __init__(self, episodes: Episodes, length: int, system: System) -> None:
        self.states, self.length, self.system = torch.from_numpy(episodes.states), length, system
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
        return Window(continuous(self.system, self.states[torch.minimum(knots, end)]), knots <= end)

    def draw(self, seed: int, step: int, batch: int) -> Window:
        """A uniform batch that depends on (seed, step) alone, so a resumed run needs no generator state."""
        generator = np.random.default_rng((seed, step))
        return self.take(generator.integers(0, len(self), batch))

    def spread(self, count: int) -> list[int]:
        """At most `count` window numbers, evenly spaced: a fixed validation set."""
        return np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64)).tolist()


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
