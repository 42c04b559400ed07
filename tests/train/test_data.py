"""Data sets of expert flights: same bytes for the same seed, resumable, refused where they do not fit."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import load_task
from deqmpc_train import data
from deqmpc_train.data import DataConfig, generate, make_chunk

SMALL = DataConfig(episodes=3, steps=6, spread_episodes=5, spread_steps=4, seed=5, expert="goal-mpc")


def test_same_seed_same_bytes_also_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_CHUNK", 4)
    undisturbed = _generate_here(tmp_path / "a", monkeypatch)
    parts = tmp_path / "b.parts"
    parts.mkdir()
    make_chunk(SMALL, 1, parts)  # what a killed run left behind
    resumed = _generate_here(tmp_path / "b", monkeypatch)
    for name in ("episodes.parquet", "info.json", "stats.json"):
        assert (undisturbed / name).read_bytes() == (resumed / name).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_rows_are_flights_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pq.read_table(_generate_here(tmp_path / "d", monkeypatch) / "episodes.parquet")
    task = load_task("crazyflie")
    episode, step = (np.asarray(table[k]) for k in ("episode", "step"))
    state, action = (torch.tensor(table[k].to_pylist(), dtype=torch.float64) for k in ("state", "action"))
    assert sorted(np.bincount(episode)) == [4] * 5 + [6] * 3
    follows = np.flatnonzero((np.diff(episode) == 0) & (np.diff(step) == 1))
    successor = task.step(state[follows], action[follows])
    assert (successor - state[follows + 1]).abs().max() < 1e-12
    lengths = np.bincount(episode)
    assert 4 in lengths[:4] and 6 in lengths[:4]  # both kinds from the beginning on


def test_an_existing_or_foreign_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = _generate_here(tmp_path / "e", monkeypatch)
    with pytest.raises(DataError, match="holds a data set already"):
        generate(SMALL, out)
    (tmp_path / "f.parts").mkdir()
    (tmp_path / "f.parts" / "config.json").write_text("{}")
    with pytest.raises(DataError, match="another configuration"):
        generate(SMALL, tmp_path / "f")


def _generate_here(out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`generate` with its worker processes replaced by calls in this one."""
    from concurrent.futures import Future

    class Here:
        def __init__(self, *_: object, **__: object) -> None: ...

        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, function, *arguments):  # noqa: ANN001, ANN202
            future: Future[object] = Future()
            future.set_result(function(*arguments))
            return future

    monkeypatch.setattr(data, "ProcessPoolExecutor", Here)
    return generate(SMALL, out)
