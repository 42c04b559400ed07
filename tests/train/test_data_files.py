"""The format: what is written is read back to the bit; faults are named; nothing half-written stays."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import load_task
from deqmpc_train.data import Episode, Episodes, load_episodes, read_info, read_stats, write_data_set
from tests.train.conftest import LENGTHS, flights

TASK = load_task("crazyflie")


def some(lengths: list[int], spheres: bool, seed: int = 0) -> Episodes:
    rng = np.random.default_rng(seed)
    return Episodes.of([
        Episode(rng.normal(size=(n + 1, 12)), rng.uniform(0.0, 0.14, (n, 4)),
                rng.normal(size=(3, 3)) if spheres else None)
        for n in lengths
    ])  # fmt: skip


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=7), st.booleans(), st.integers(0, 99))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], spheres: bool, seed: int
) -> None:
    out, episodes = tmp_path_factory.mktemp("data") / "set", some(lengths, spheres, seed)
    write_data_set(out, episodes, TASK, {"obstacle_radius": 0.1}, {})
    back = load_episodes(out, TASK)
    for name in ("states", "bounds", "actions", "centers"):
        np.testing.assert_array_equal(getattr(back, name), getattr(episodes, name))
    info, stats = read_info(out), read_stats(out)
    assert (info["episodes"], info["steps"]) == (len(lengths), sum(lengths))
    assert info["task_options"] == {"obstacle_radius": 0.1}
    assert stats["steps"]["max"] == [max(lengths)]
    assert stats["state"]["mean"] == pytest.approx(episodes.states.mean(0).tolist())


def test_the_older_format_is_read_without_its_last_actions(data: Path) -> None:
    whole = load_episodes(data, TASK)
    states, actions = flights()
    rows = [(e, k) for e, n in enumerate(LENGTHS) for k in range(n)]
    index = tuple(np.array(rows).T)
    _rewrite(data, lambda table: table.set_column(
        3, "action", pa.FixedSizeListArray.from_arrays(pa.array(actions[index].ravel()), 4)))  # fmt: skip
    (data / "info.json").write_text(json.dumps({"schema": 1, "task": "crazyflie", "dt": 0.1}))
    old = load_episodes(data, TASK)
    for name in ("states", "bounds", "actions"):
        np.testing.assert_array_equal(getattr(old, name), getattr(whole, name))


def _rewrite(data: Path, change: Any) -> None:
    file = data / "episodes.parquet"
    pq.write_table(change(pq.read_table(file)), file)


def _with(data: Path, column: str, row: int, entry: int, value: float) -> None:
    """One number of a column of vectors changed."""

    def change(table: pa.Table) -> pa.Table:
        vectors = table[column].to_pylist()
        vectors[row][entry] = value
        width = table.schema.field(column).type
        return table.set_column(table.schema.get_field_index(column), column, pa.array(vectors, width))

    _rewrite(data, change)


def _without(data: Path, *rows: int) -> None:
    _rewrite(data, lambda t: t.take([i for i in range(t.num_rows) if i not in rows]))


def _twice(data: Path, begin: int, end: int, number: int | None = None) -> None:
    """Rows begin..end again, as the same episode or another."""

    def change(table: pa.Table) -> pa.Table:
        part = table.slice(begin, end - begin)
        if number is not None:
            part = part.set_column(0, "episode", pa.array([number] * len(part), pa.int32()))
        return pa.concat_tables([table, part])

    _rewrite(data, change)


def _info(data: Path, **changes: Any) -> None:
    info = read_info(data)
    (data / "info.json").write_text(json.dumps(info | changes))


def _cut(data: Path) -> None:
    content = (data / "episodes.parquet").read_bytes()
    (data / "episodes.parquet").write_bytes(content[: len(content) // 2])


def _flip(data: Path) -> None:
    content = bytearray((data / "episodes.parquet").read_bytes())
    content[len(content) // 3] ^= 0xFF
    (data / "episodes.parquet").write_bytes(bytes(content))


FAULTS = {
    "nan": (
        lambda d: _with(d, "state", 13, 2, np.nan),
        "column 'state' of episode 1 is nan, not finite .entry 2 at step 1",
    ),
    "infinite": (lambda d: _with(d, "action", 0, 1, np.inf), "column 'action' of episode 0 is inf"),
    "far away": (lambda d: _with(d, "state", 0, 7, 2e3), r"episode 0 is 2000, outside \[-1000, 1000\]"),
    "too strong": (lambda d: _with(d, "action", 22, 3, 0.2), "'action' of episode 2 is 0.2, outside .*0.14"),
    "a gap": (lambda d: _without(d, 3), "column 'step' of episode 0: step 4 follows where step 3"),
    "no first row": (lambda d: _without(d, 12), "column 'step' of episode 1: step 1 follows where step 0"),
    "no last state": (lambda d: _without(d, 11), "column 'action' of episode 0: its last row has an action"),
    "rows twice": (lambda d: _twice(d, 12, 21), "column 'step' of episode 1: step 0 is there twice"),
    "episode twice": (lambda d: _twice(d, 12, 21, 9), "column 'state' of episode 9 repeats episode 1"),
    "no column": (lambda d: _rewrite(d, lambda t: t.drop_columns(["action"])), "column 'action' is missing"),
    "no vectors": (
        lambda d: _rewrite(d, lambda t: t.set_column(2, "state", pa.array([0.0] * t.num_rows))),
        "column 'state': expected lists of 12 numbers, got double",
    ),
    "cut off": (_cut, "cut off or damaged"),
    "damaged": (_flip, "cut off or damaged"),
    "other task": (lambda d: _info(d, task="pendulum"), "holds task 'pendulum', not 'crazyflie'"),
    "other interval": (lambda d: _info(d, dt=0.05), "made with dt 0.05, the task has 0.1"),
    "other schema": (lambda d: _info(d, schema=7), "expected schema 2, got 7"),
    "no info": (lambda d: (d / "info.json").unlink(), "info.json"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_data_is_named(data: Path, fault: str) -> None:
    spoil, words = FAULTS[fault]
    spoil(data)
    with pytest.raises(DataError, match=words):
        load_episodes(data, TASK)


def test_wrong_dimensions_are_named(data: Path) -> None:
    narrow = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(13 * 56)), 13)
    _rewrite(data, lambda t: t.set_column(2, "state", narrow))
    with pytest.raises(DataError, match="column 'state' holds 13 numbers, not 12"):
        load_episodes(data, TASK)


def test_missing_spheres_are_named(tmp_path: Path) -> None:
    out = write_data_set(tmp_path / "set", some([3, 2], spheres=True), TASK, {}, {})
    pq.write_table(pq.read_table(out / "obstacles.parquet").slice(0, 5), out / "obstacles.parquet")
    with pytest.raises(DataError, match=r"obstacles.parquet.*column 'episode'"):
        load_episodes(out, TASK)


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = some([3, 2], spheres=False)
    bad.states[1, 4] = np.nan
    with pytest.raises(DataError, match="column 'state' of episode 0"):
        write_data_set(tmp_path / "set", bad, TASK, {}, {})

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deqmpc_train.data.store.statistics", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_data_set(tmp_path / "set", some([3, 2], spheres=True), TASK, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds a data set already"):
        write_data_set(data, some([3], spheres=False), TASK, {}, {})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="no empty directory"):
        write_data_set(tmp_path / "notes", some([3], spheres=False), TASK, {}, {})


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=40), st.integers(0, 4))
def test_a_split_holds_out_a_tenth_by_episode(lengths: list[int], number: int) -> None:
    episodes = some(lengths, spheres=True)
    train, held_out = episodes.split(number)
    again = episodes.split(number)[1]
    assert len(held_out) == max(1, round(0.1 * len(lengths)))
    both = {e.states[a:b].tobytes(): c.tobytes() for e in (train, held_out)
            for a, b, c in zip(e.bounds[:-1], e.bounds[1:], e.centers, strict=True)}  # type: ignore[arg-type]  # fmt: skip
    whole = {episodes.states[a:b].tobytes(): c.tobytes()
             for a, b, c in zip(episodes.bounds[:-1], episodes.bounds[1:], episodes.centers, strict=True)}  # type: ignore[arg-type]  # fmt: skip
    assert both == whole and len(train) + len(held_out) == len(lengths)
    np.testing.assert_array_equal(held_out.states, again.states)
    if number == 0:
        np.testing.assert_array_equal(held_out.states, episodes.states[episodes.bounds[-1 - len(held_out)] :])
