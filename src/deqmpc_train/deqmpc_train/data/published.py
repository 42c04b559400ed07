"""Published episodes: an .npz file of `state` (N, L, n), `action` (N, L, m), zero padded, and `length` (N,).

Every successor is checked against the plant; the state after the last action, which is not stored, comes from
it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from deqmpc_core.arrays import read_arrays
from deqmpc_core.errors import DataError
from deqmpc_core.tasks import Task
from deqmpc_train.data.episodes import Array, Episode, Episodes
from deqmpc_train.data.store import write_data_set

TOLERANCE = 1e-5
PUBLISHED = {"pendulum": ("integrator=semi_implicit", "u_max=3.0")}  # what the published data were made with


class Arrays(NamedTuple):
    """state (N, L, n), action (N, L, m), length (N,): what a file holds."""

    state: Array
    action: Array
    length: NDArray[np.int64]


def import_arrays(
    file: Path, task: Task, options: dict[str, Any], out: Path, tolerance: float = TOLERANCE
) -> float:
    """Make data set `out` of a file; the largest difference between a successor and the plant's.

    Raises DataError naming file, episode and column where the arrays do not fit the task, or a successor
    differs by more than `tolerance`.
    """
    arrays = _read(file, task)
    worst = _check_successors(arrays, task, file, tolerance)
    episodes = [
        Episode(np.concatenate([s[:count], _after(task, s[count - 1], a[count - 1])]), a[:count], None, i)
        for i, (s, a, count) in enumerate(zip(*arrays, strict=True))
    ]
    origin = {
        "source": "import", "file": file.name, "successor_error": worst, "tolerance": tolerance,
        "asked": len(episodes), "dropped": {}, "sources": list(range(len(episodes))),
    }  # fmt: skip
    write_data_set(out, Episodes.of(episodes), task, options, origin)
    return worst


def _read(file: Path, task: Task) -> Arrays:
    found = read_arrays(file, Arrays._fields)
    state, action, length = (found[name] for name in Arrays._fields)
    _check_shapes(state, action, length, task, file)
    return Arrays(state.astype(np.float64), action.astype(np.float64), length.astype(np.int64))


def _check_shapes(
    state: NDArray[Any], action: NDArray[Any], length: NDArray[Any], task: Task, file: Path
) -> None:
    for name, array, width in (("state", state, task.n), ("action", action, task.m)):
        if array.ndim != 3 or array.shape[2] != width or array.shape[:2] != state.shape[:2]:
            raise DataError(f"'{file}': array '{name}': expected (N, L, {width}), got {array.shape}")
    if length.shape != state.shape[:1] or length.dtype.kind not in "iu":
        raise DataError(
            f"'{file}': array 'length': expected {len(state)} integers, got {length.dtype} {length.shape}"
        )
    bad = np.flatnonzero((length < 1) | (length > state.shape[1]))
    if len(bad):
        raise DataError(
            f"'{file}': array 'length' of episode {bad[0]} is {length[bad[0]]}, not in 1 to {state.shape[1]}"
        )


def _check_successors(arrays: Arrays, task: Task, file: Path, tolerance: float) -> float:
    """The plant's successor, on the branch of the stored one, against it."""
    episode, step = np.nonzero(np.arange(arrays.state.shape[1] - 1) < arrays.length[:, None] - 1)
    x, u, after = (
        torch.from_numpy(a) for a in (arrays.state[episode, step], arrays.action[episode, step],
                                      arrays.state[episode, step + 1])
    )  # fmt: skip
    error = (task.system.to_branch(task.step(x, u), after) - after).abs().numpy()
    wrong = np.argwhere(~(error <= tolerance))
    if len(wrong):
        row, entry = wrong[0]
        raise DataError(
            f"'{file}': array 'state' of episode {episode[row]}: step {step[row] + 1} differs in "
            f"{task.system.states[entry]} by {error[row, entry]:.2g} from what task '{task.name}' makes of "
            f"step {step[row]}; give the options the data were made with"
        )
    return float(error.max(initial=0.0))


def _after(task: Task, x: Array, u: Array) -> Array:
    """The successor (1, n) of x (n,) under u (m,), its attitude in the set that x has it in."""
    now = torch.from_numpy(x)[None]
    after = task.system.to_branch(task.step(now, torch.from_numpy(u)[None]), now)
    return task.system.wrapped(after, task.angle_low).numpy()
