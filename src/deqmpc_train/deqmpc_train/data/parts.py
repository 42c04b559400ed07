"""The parts of a data set in the making: each a parquet file of some episodes, flown by a worker process."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from deqmpc_core.bundle import load_policy
from deqmpc_core.tasks import Task
from deqmpc_train.data.config import Recipe
from deqmpc_train.data.episodes import Episode, Episodes
from deqmpc_train.data.fly import Flights, fly
from deqmpc_train.data.load import vectors
from deqmpc_train.data.options import data_task
from deqmpc_train.data.store import episodes_table, write_table

PART = 25  # episodes: what a kill costs at most, for each worker


def part_count(recipe: Recipe) -> int:
    """Parts of a recipe, numbered from 0."""
    return -(-recipe.total // PART)


def part_numbers(recipe: Recipe, part: int) -> range:
    """The episodes of a part."""
    return range(part * PART, min((part + 1) * PART, recipe.total))


def part_file(parts: Path, part: int) -> Path:
    """Where a part is written to."""
    return parts / f"{part:05d}.parquet"


def make_part(recipe: Recipe, part: int, parts: Path) -> None:
    """Fly and write one part."""
    config = recipe.config
    task, _ = data_task(config.task, config.option)
    policy = load_policy(config.policy, task)
    numbers = part_numbers(recipe, part)
    kept: list[Episode] = []
    dropped: Counter[str] = Counter()
    for spread, steps in ((False, recipe.steps), (True, config.spread_steps)):
        chosen = [e for e in numbers if (e >= recipe.episodes) is spread]
        if chosen:
            flights = fly(task, policy, recipe.seed, chosen, steps, spread, config.iterations)
            kept += flights.kept
            dropped.update(flights.dropped)
    _write(Flights(kept, dict(dropped)), part_file(parts, part))


def _write(flights: Flights, file: Path) -> None:
    """A part may be empty: then its one row stands for nothing, and its notes say why."""
    episodes = flights.kept or [Episode(np.zeros((1, 1)), np.zeros((0, 1)))]
    sources = json.dumps([e.source for e in flights.kept])
    note = {"sources": sources, "dropped": json.dumps(flights.dropped)}
    write_table(episodes_table(Episodes.of(episodes)).replace_schema_metadata(note), file)


def read_part(parts: Path, part: int, task: Task) -> Flights:
    """A part as make_part wrote it; centres are left out, they follow from the seed."""
    file = part_file(parts, part)
    table = pq.read_table(file)
    note = table.schema.metadata or {}
    sources, dropped = (json.loads(note[key]) for key in (b"sources", b"dropped"))
    if not sources:
        return Flights([], dropped)
    states, actions = vectors(table, "state", task.n, file), vectors(table, "action", task.m, file)
    number = table["episode"].to_numpy()
    rows = (np.flatnonzero(number == i) for i in range(len(sources)))
    kept = [Episode(states[r], actions[r[:-1]], None, s) for r, s in zip(rows, sources, strict=True)]
    return Flights(kept, dropped)
