"""Data sets of expert flights: episodes as parquet, info.json and stats.json, written whole or not at all.

Rows hold (episode, step, state (n,), action (m,)); the successor of a row is the next row of its episode.
Chunks of episodes are made by worker processes, each from (seed, chunk) alone, so that the same command
gives the same bytes and a killed run goes on where it stood.
"""

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from deqmpc_core import __version__
from deqmpc_core.bundle import load_policy
from deqmpc_core.errors import DataError
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.envs import roll_out

_CHUNK = 125


@dataclass(frozen=True)
class DataConfig:
    """What to record: flights from the task's starts and shorter ones from states met in mid-flight.

    episodes and spread_episodes: how many of each; steps and spread_steps: their lengths.
    """

    task: str = "crazyflie"
    episodes: int = 1000
    steps: int = 60
    spread_episodes: int = 4000
    spread_steps: int = 20
    seed: int = 1_000_000
    expert: str = "expert"


def generate(
    config: DataConfig,
    out: Path,
    jobs: int = 2,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Make the data set in directory `out`; finished chunks of an earlier, killed run of the same config
    are kept."""
    if (out / "info.json").exists():
        raise DataError(f"{out}: holds a data set already; choose another directory or remove it")
    parts = out.with_name(out.name + ".parts")
    parts.mkdir(parents=True, exist_ok=True)
    _same_config(parts / "config.json", config)
    chunks = -(-(config.episodes + config.spread_episodes) // _CHUNK)
    missing = [c for c in range(chunks) if not (parts / f"{c:05d}.parquet").exists()]
    progress(chunks - len(missing), chunks)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        futures = [pool.submit(make_chunk, config, c, parts) for c in missing]
        for count, future in enumerate(as_completed(futures), chunks - len(missing) + 1):
            future.result()
            progress(count, chunks)
    return _merge(config, parts, chunks, out)


def make_chunk(config: DataConfig, chunk: int, parts: Path) -> None:
    """Fly and write one chunk of episodes."""
    torch.set_num_threads(1)
    task = load_task(config.task)
    first = chunk * _CHUNK
    last = min(first + _CHUNK, config.episodes + config.spread_episodes)
    tables = [
        _fly(config, task, range(a, b), spread)
        for a, b, spread in (
            (first, min(last, config.episodes), False),
            (max(first, config.episodes), last, True),
        )
        if a < b
    ]
    _write_table(pa.concat_tables(tables), parts / f"{chunk:05d}.parquet")


def _fly(config: DataConfig, task: Task, episodes: range, spread: bool) -> pa.Table:
    starts = np.stack([
        task.spread_start(np.random.default_rng((config.seed, e))) if spread else task.start(config.seed, e)
        for e in episodes
    ])  # fmt: skip
    steps = config.spread_steps if spread else config.steps
    flight = roll_out(task, load_policy(config.expert, task), torch.from_numpy(starts), steps)
    kept = [b for b, why in enumerate(flight.failures) if why is None]
    states, actions = flight.states[kept, :-1].numpy(), flight.actions[kept].numpy()
    return pa.table({
        "episode": np.repeat(np.array([episodes[b] for b in kept], dtype=np.int32), steps),
        "step": np.tile(np.arange(steps, dtype=np.int32), len(kept)),
        "state": _vectors(states.reshape(-1, task.n)),
        "action": _vectors(actions.reshape(-1, task.m)),
    })  # fmt: skip


def _vectors(values: np.ndarray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _merge(config: DataConfig, parts: Path, chunks: int, out: Path) -> Path:
    table = _interleave(
        config, pa.concat_tables([pq.read_table(parts / f"{c:05d}.parquet") for c in range(chunks)])
    )
    task = load_task(config.task)
    episodes = len(set(table["episode"].to_pylist()))
    asked = config.episodes + config.spread_episodes
    staging = out.with_name(out.name + ".staging")
    staging.mkdir(exist_ok=True)
    _write_table(table, staging / "episodes.parquet")
    state = np.asarray(table["state"].combine_chunks().flatten()).reshape(-1, task.n)
    action = np.asarray(table["action"].combine_chunks().flatten()).reshape(-1, task.m)
    info = {
        "schema": 1, "version": __version__, "task": config.task, "dt": task.dt, "n": task.n, "m": task.m,
        "states": task.system.states, "controls": task.system.controls, "rows": table.num_rows,
        "episodes": episodes, "seed": config.seed, "expert": config.expert, "dropped_failed": asked -
        episodes, "config": asdict(config),
    }  # fmt: skip
    stats = {name: _statistics(values) for name, values in (("state", state), ("action", action))}
    (staging / "stats.json").write_text(json.dumps(stats, indent=1))
    (staging / "info.json").write_text(json.dumps(info, indent=1))
    os.replace(staging, out)
    for part in sorted(parts.iterdir()):
        part.unlink()
    parts.rmdir()
    return out


def _interleave(config: DataConfig, table: pa.Table) -> pa.Table:
    """Episodes renumbered so that both kinds are spread evenly: a held-out last tenth then holds both."""
    episode, step = (np.asarray(table[name]) for name in ("episode", "step"))
    made = np.unique(episode)
    late = made >= config.episodes
    rank = np.where(
        late, (made - config.episodes) / max(config.spread_episodes, 1), made / max(config.episodes, 1)
    )
    number = np.empty(len(made), dtype=np.int32)
    number[np.lexsort((late, rank))] = np.arange(len(made), dtype=np.int32)
    renumbered = number[np.searchsorted(made, episode)]
    table = table.set_column(0, "episode", pa.array(renumbered))
    return table.take(np.lexsort((step, renumbered))).combine_chunks()


def _statistics(values: np.ndarray) -> dict[str, list[float]]:
    return {name: getattr(values, name)(axis=0).tolist() for name in ("mean", "std", "min", "max")}


def _same_config(path: Path, config: DataConfig) -> None:
    text = json.dumps(asdict(config), indent=1)
    if path.exists() and path.read_text() != text:
        raise DataError(
            f"{path.parent}: holds parts made with another configuration; remove it to start over"
        )
    path.write_text(text)


def _write_table(table: pa.Table, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    pq.write_table(table, temporary)
    os.replace(temporary, path)
