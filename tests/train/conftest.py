"""A small data set of straight flights."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from deqmpc_core import load_policy, load_task
from deqmpc_sim.envs import roll_out
from deqmpc_train.data import Episode, Episodes, write_data_set

LENGTHS = (12, 9, 15, 7, 2, 11)  # rows


@lru_cache
def flights() -> tuple[np.ndarray, np.ndarray]:
    """States (6, 16, 12) and actions (6, 15, 4) of straight flights."""
    task = load_task("crazyflie")
    starts = np.stack([task.start(0, i) for i in range(len(LENGTHS))])
    flown = roll_out(task, load_policy("straight-line", task), torch.from_numpy(starts), 15)
    return flown.states.numpy(), flown.actions.numpy()


def write_data(directory: Path, lengths: tuple[int, ...] = LENGTHS) -> Path:
    states, actions = flights()
    episodes = [Episode(states[e, :n], actions[e, : n - 1], None, e) for e, n in enumerate(lengths)]
    origin = {"source": "test", "dropped": {}, "sources": list(range(len(lengths)))}
    return write_data_set(directory, Episodes.of(episodes), load_task("crazyflie"), {}, origin)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")
