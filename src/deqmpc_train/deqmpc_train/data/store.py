"""Writing a data set: a directory with three files, or four, there whole or not at all.

episodes.parquet: one row a state: episode (int32), step (int32), state (list of n float64), action (list of m
float64; null in the last row of an episode, which holds the state after the last action). obstacles.parquet,
where spheres differ from episode to episode: episode, sphere, center (3), at the episode's start; where
they move, `Task.moved` tells the rest. info.json: what it is and where it comes from. stats.json: figures.
"""

import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from deqmpc_core import __version__
from deqmpc_core.errors import DataError
from deqmpc_core.tasks import Task
from deqmpc_train.data.check import check_episodes
from deqmpc_train.data.episodes import Array, Episodes

SCHEMA = 2
EPISODES, OBSTACLES, INFO, STATS = "episodes.parquet", "obstacles.parquet", "info.json", "stats.json"


def write_data_set(
    out: Path, episodes: Episodes, task: Task, options: dict[str, Any], origin: dict[str, Any]
) -> Path:
    """Check the episodes and write them to directory `out`, which must not hold a data set yet.

    options: what the task was changed by. origin: more entries of info.json (how it was made, from what, what
    was dropped and why). Raises DataError and leaves nothing behind where something does not fit.
    """
    refuse_existing(out)
    check_episodes(episodes, task.u_lo.numpy(), task.u_hi.numpy(), out / EPISODES)
    staging = out.with_name(f".{out.name}.staging")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        _write(staging, episodes, task, options, origin)
        os.replace(staging, out)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return out


def refuse_existing(out: Path) -> None:
    """DataError where something is at `out` already."""
    if (out / INFO).exists():
        raise DataError(f"{out}: holds a data set already; choose another directory or remove it")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is no empty directory; choose another place for the data set")


def _write(
    directory: Path, episodes: Episodes, task: Task, options: dict[str, Any], origin: dict[str, Any]
) -> None:
    write_table(episodes_table(episodes), directory / EPISODES)
    if episodes.centers is not None:
        write_table(_obstacles_table(episodes.centers), directory / OBSTACLES)
    info = _description(episodes, task, options) | origin | {"versions": _versions()}
    (directory / INFO).write_text(json.dumps(info, indent=1) + "\n")
    (directory / STATS).write_text(json.dumps(statistics(episodes, task), indent=1) + "\n")


def write_table(table: pa.Table, path: Path) -> None:
    """To a temporary name, then renamed; pages carry checksums."""
    temporary = path.with_suffix(".tmp")
    pq.write_table(table, temporary, write_page_checksum=True)
    os.replace(temporary, path)


def episodes_table(episodes: Episodes) -> pa.Table:
    """The rows of episodes.parquet."""
    first = np.repeat(episodes.bounds[:-1], np.diff(episodes.bounds))
    assert episodes.actions is not None
    actions = np.where(episodes.last[:, None], 0.0, episodes.actions)
    return pa.table({
        "episode": pa.array(episodes.numbers.astype(np.int32)),
        "step": pa.array((np.arange(len(first)) - first).astype(np.int32)),
        "state": _vectors(episodes.states),
        "action": _vectors(actions, pa.array(episodes.last)),
    })  # fmt: skip


def _vectors(values: Array, missing: pa.Array | None = None) -> pa.FixedSizeListArray:
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float64).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=missing)


def _obstacles_table(centers: Array) -> pa.Table:
    count, spheres = centers.shape[:2]
    return pa.table({
        "episode": np.repeat(np.arange(count, dtype=np.int32), spheres),
        "sphere": np.tile(np.arange(spheres, dtype=np.int32), count),
        "center": _vectors(centers.reshape(-1, 3)),
    })  # fmt: skip


def _description(episodes: Episodes, task: Task, options: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA, "task": task.name, "task_options": options, "dt": task.dt, "n": task.n,
        "m": task.m, "states": task.system.states, "controls": task.system.controls,
        "u_min": task.u_lo.tolist(), "u_max": task.u_hi.tolist(), "episodes": len(episodes),
        "steps": int(episodes.steps.sum()), "rows": len(episodes.states),
        "spheres": 0 if episodes.centers is None else episodes.centers.shape[1],
    }  # fmt: skip


def _versions() -> dict[str, str]:
    return {
        "deqmpc": __version__, "python": platform.python_version(), "numpy": np.__version__,
        "torch": torch.__version__, "pyarrow": pa.__version__,
    }  # fmt: skip


def statistics(episodes: Episodes, task: Task) -> dict[str, Any]:
    """Mean, std, min and max of states, actions, steps and returns, and how many episodes end in success."""
    assert episodes.actions is not None
    inner = ~episodes.last
    after = torch.from_numpy(episodes.states[~_first(episodes)])
    reward = task.reward(after, torch.from_numpy(episodes.actions[inner])).numpy()
    totals = np.bincount(episodes.numbers[inner], reward, len(episodes))
    done = [
        bool(task.success(torch.from_numpy(episodes.states[a:b])[None])[0])
        for a, b in zip(episodes.bounds[:-1], episodes.bounds[1:], strict=True)
    ]
    columns = {
        "state": episodes.states, "action": episodes.actions[inner],
        "steps": episodes.steps[:, None].astype(np.float64), "return": totals[:, None],
    }  # fmt: skip
    figures: dict[str, Any] = {name: _figures(values) for name, values in columns.items()}
    return figures | {"successes": sum(done)}


def _first(episodes: Episodes) -> NDArray[np.bool_]:
    first = np.zeros(len(episodes.states), dtype=np.bool_)
    first[episodes.bounds[:-1]] = True
    return first


def _figures(values: Array) -> dict[str, list[float]]:
    return {name: getattr(values, name)(axis=0).tolist() for name in ("mean", "std", "min", "max")}
