"""A small data set of straight flights."""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from deqmpc_core import load_policy, load_task
from deqmpc_sim.envs import roll_out

LENGTHS = (12, 9, 15, 7, 2, 11)


@lru_cache
def flights() -> np.ndarray:
    """States (6, 15, 12) of straight flights."""
    task = load_task("crazyflie")
    starts = np.stack([task.start(0, i) for i in range(len(LENGTHS))])
    return roll_out(task, load_policy("straight-line", task), torch.from_numpy(starts), 15).states.numpy()


def write_data(directory: Path, lengths: tuple[int, ...] = LENGTHS, task: str = "crazyflie") -> Path:
    directory.mkdir(parents=True)
    episode = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    step = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    state = flights()[episode, step]
    table = pa.table({
        "episode": episode, "step": step,
        "state": pa.FixedSizeListArray.from_arrays(pa.array(state.ravel()), 12),
        "action": pa.FixedSizeListArray.from_arrays(pa.array(np.full(4 * len(step), 0.08)), 4),
    })  # fmt: skip
    pq.write_table(table, directory / "episodes.parquet")
    (directory / "info.json").write_text(json.dumps({"schema": 1, "task": task, "dt": 0.1}))
    return directory


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")
