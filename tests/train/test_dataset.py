"""Windows: what is in them, for any lengths; attitude without jumps; broken data is named."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import load_task
from deqmpc_train.dataset import Episodes, Windows, continuous, load_episodes, scaling

TASK = load_task("crazyflie")


def numbered(lengths: list[int]) -> Episodes:
    """Episodes whose first coordinate is the row number."""
    states = np.zeros((sum(lengths), 12))
    states[:, 0] = np.arange(len(states))
    return Episodes(states, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8).filter(lambda v: max(v) > 1), st.integers(2, 9))
def test_every_window_is_consecutive_masked_and_within_its_episode(lengths: list[int], knots: int) -> None:
    windows = Windows(numbered(lengths), knots, TASK.system)
    assert len(windows) == sum(n - 1 for n in lengths)
    window = windows.take(np.arange(len(windows)))
    rows, first = window.x[..., 0], window.x[:, :1, 0]
    borders = torch.tensor(np.cumsum([0, *lengths]))
    end = borders[torch.searchsorted(borders, first[:, 0].long(), right=True)][:, None] - 1
    assert torch.equal(rows, torch.minimum(first + torch.arange(knots), end.double()))
    assert torch.equal(window.mask, first + torch.arange(knots) <= end)
    assert window.mask[:, :2].all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_batch_depends_on_seed_and_step_alone(seed: int, step: int) -> None:
    windows = Windows(numbered([30, 40]), 5, TASK.system)
    assert torch.equal(windows.draw(seed, step, 8).x, windows.draw(seed, step, 8).x)
    assert not torch.equal(windows.draw(seed, step, 8).x, windows.draw(seed, step + 1, 8).x)


def test_attitude_crosses_the_switch_without_a_jump() -> None:
    angle = torch.linspace(2.6, 3.8, 13, dtype=torch.float64)
    x = torch.zeros(1, 13, 12, dtype=torch.float64)
    x[0, :, 3] = torch.tan(angle / 4)
    wrapped = TASK.system.to_short_mrp(x)
    assert (wrapped[0].diff(dim=0).abs() > 1).any()
    torch.testing.assert_close(continuous(TASK.system, wrapped), x)


def test_split_scaling_and_load(data: Path) -> None:
    episodes = load_episodes(data, TASK)
    train, held_out = episodes.split()
    assert (len(train), len(held_out)) == (5, 1) and len(held_out.states) == 11
    units = scaling(Windows(train, 8, TASK.system), TASK, 5)
    assert all(torch.isfinite(v).all() for v in units) and (units.output_scale > 0).all()


def test_broken_data_is_named(data: Path) -> None:
    (data / "info.json").write_text(json.dumps({"task": "pendulum"}))
    with pytest.raises(DataError, match="holds task 'pendulum', not 'crazyflie'"):
        load_episodes(data, TASK)
    (data / "info.json").write_text(json.dumps({"task": "crazyflie"}))
    content = (data / "episodes.parquet").read_bytes()
    (data / "episodes.parquet").write_bytes(content[:500])
    with pytest.raises(DataError, match="episodes.parquet"):
        load_episodes(data, TASK)
    with pytest.raises(DataError, match="info.json"):
        load_episodes(data / "missing", TASK)
