"""Reading a data set; whatever is wrong with it is refused by file, episode and column."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import Task
from deqmpc_train.data.check import check_episodes, check_steps
from deqmpc_train.data.episodes import Array, Episodes
from deqmpc_train.data.store import EPISODES, INFO, OBSTACLES, SCHEMA, STATS

_OLDER = 1  # the format before: no row for the state after the last action, whose action is left unused
_MAKE = "make a data set with deqmpc data generate"


def read_info(directory: Path) -> dict[str, Any]:
    """info.json of a data set."""
    info = _read_json(directory / INFO)
    if info.get("schema") not in (SCHEMA, _OLDER):
        raise DataError(
            f"'{directory / INFO}': expected schema {SCHEMA}, got {info.get('schema')!r}; {_MAKE} again"
        )
    return info


def read_stats(directory: Path) -> dict[str, Any]:
    """stats.json of a data set."""
    return _read_json(directory / STATS)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"cannot read '{file}': {error}; {_MAKE}") from error
    if not isinstance(values, dict):
        raise DataError(f"'{file}': expected an object, got {type(values).__name__}; {_MAKE}")
    return values


def load_episodes(directory: Path, task: Task) -> Episodes:
    """The episodes of a directory, checked against the task, in the order of their numbers."""
    info = read_info(directory)
    _check_task(info, task, directory)
    file = directory / EPISODES
    table = read_table(file, ("episode", "step", "state", "action"))
    number, step = (_integers(table, name, file) for name in ("episode", "step"))
    order = np.lexsort((step, number))
    number = number[order]
    check_steps(number, step[order], file)
    states, actions = (vectors(table, c, w, file)[order] for c, w in (("state", task.n), ("action", task.m)))
    names, first = np.unique(number, return_index=True)
    episodes = Episodes(states, np.append(first, len(number)).astype(np.int64), actions)
    _check_nulls(episodes, names, info["schema"], file)
    u_lo, u_hi = _limits(info, task, file)
    check_episodes(episodes, u_lo, u_hi, file, names)
    return Episodes(
        states, episodes.bounds, np.where(episodes.last[:, None], np.nan, actions),
        _load_centers(directory / OBSTACLES, names) if info.get("spheres") else None,
    )  # fmt: skip


def _check_task(info: dict[str, Any], task: Task, directory: Path) -> None:
    if info.get("task") != task.name:
        raise DataError(
            f"'{directory}' holds task '{info.get('task')}', not '{task.name}'; give matching --data"
        )
    expected = {"dt": task.dt, "n": task.n, "m": task.m}
    for key, value in expected.items():
        if info.get(key, value) != value:
            raise DataError(
                f"'{directory}' was made with {key} {info[key]}, the task has {value}; give matching --data"
            )


def _limits(info: dict[str, Any], task: Task, file: Path) -> tuple[Array, Array]:
    """Control limits (m,) of the data set; those of the task where it does not say."""
    given = (info.get("u_min", task.u_lo.tolist()), info.get("u_max", task.u_hi.tolist()))
    try:
        low, high = (np.asarray(v, dtype=np.float64).reshape(task.m) for v in given)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"'{file.with_name(INFO)}': expected {task.m} numbers in u_min and u_max, got {given}"
        ) from error
    return low, high


def read_table(file: Path, columns: tuple[str, ...]) -> pa.Table:
    """The columns of a parquet file, one piece each."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            missing = [c for c in columns if c not in parquet.schema_arrow.names]
            if missing:
                raise DataError(f"'{file}': column '{missing[0]}' is missing; {_MAKE}")
            return parquet.read(columns=list(columns)).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot read '{file}', cut off or damaged: {error}; {_MAKE}") from error


def _integers(table: pa.Table, name: str, file: Path) -> NDArray[np.int64]:
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count or not len(column):
        raise DataError(
            f"'{file}': column '{name}': expected integers, got {len(column)} of {column.type}, "
            f"{column.null_count} of them null"
        )
    return column.to_numpy().astype(np.int64)


def vectors(table: pa.Table, name: str, width: int, file: Path) -> Array:
    """A column of vectors as (R, width), NaN where it is null; DataError for another width or type."""
    kind = table.schema.field(name).type
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)):
        raise DataError(f"'{file}': column '{name}': expected lists of {width} numbers, got {kind}")
    if kind.list_size != width:
        raise DataError(f"'{file}': column '{name}' holds {kind.list_size} numbers, not {width}")
    rows = table[name].combine_chunks()
    flat = rows.values.slice(rows.offset * width, len(rows) * width)
    values = np.array(flat.to_numpy(zero_copy_only=False), dtype=np.float64).reshape(-1, width)
    values[rows.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return values


def _check_nulls(episodes: Episodes, names: NDArray[np.int64], schema: int, file: Path) -> None:
    """Actions are null in the last row of each episode and nowhere else; the older format has one there."""
    assert episodes.actions is not None
    null = np.isnan(episodes.actions).all(1)
    wrong = np.flatnonzero(episodes.last & ~null) if schema == SCHEMA else np.array([], dtype=np.int64)
    if len(wrong):
        number = names[np.searchsorted(episodes.bounds, wrong[0], side="right") - 1]
        raise DataError(
            f"'{file}': column 'action' of episode {number}: its last row has an action, so the state after "
            "it is missing; remove the episode"
        )


def _load_centers(file: Path, names: NDArray[np.int64]) -> Array:
    """Spheres (E, k, 3) at the start of each episode."""
    table = read_table(file, ("episode", "sphere", "center"))
    number, sphere = (_integers(table, name, file) for name in ("episode", "sphere"))
    order = np.lexsort((sphere, number))
    found, counts = np.unique(number, return_counts=True)
    if not np.array_equal(found, names) or len(set(counts.tolist())) != 1:
        raise DataError(f"'{file}': column 'episode': expected as many spheres for each of {len(names)}")
    if not np.array_equal(sphere[order], np.tile(np.arange(counts[0]), len(names))):
        raise DataError(f"'{file}': column 'sphere': expected 0 to {counts[0] - 1} for every episode")
    centers = vectors(table, "center", 3, file)[order]
    if not np.isfinite(centers).all():
        bad = number[order][~np.isfinite(centers).all(1)][0]
        raise DataError(f"'{file}': column 'center' of episode {bad} is not finite; remove the episode")
    return centers.reshape(len(names), -1, 3)
