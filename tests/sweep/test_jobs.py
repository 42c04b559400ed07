"""Keys and sweeps: equal jobs have equal keys, what is done stays, what needs a failure fails."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import ConfigError, JobError
from deqmpc_train.sweep import SCRATCH, Board, Ended, Job, Resources, Store, closure, run
from deqmpc_train.sweep.work import attempt

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | st.integers(-3, 3) | FINITE | st.text(max_size=3)
NAMES = st.sampled_from(("a", "b", "c d", ""))
CONFIGS = st.dictionaries(NAMES, PLAIN | st.lists(PLAIN, max_size=2), max_size=3)


class Inline:
    """An executor without processes; the last job that was started is the first to run."""

    slots = 2

    def __init__(self) -> None:
        self.waiting: list[tuple[Job, Path]] = []
        self.stopped = False

    def check(self, job: Job) -> None:
        """There is room for all."""

    def start(self, job: Job, root: Path) -> bool:
        self.waiting.append((job, root))
        return len(self.waiting) <= 3 or bool(self.waiting.pop()) is None

    def ended(self, seconds: float) -> list[Ended]:
        job, root = self.waiting.pop()
        return [Ended(job.key, attempt(root, job))]

    def stop(self) -> None:
        self.stopped = True


def adding(number: int, needs: Mapping[str, Job] | None = None, **hints: Any) -> Job:
    return Job(f"add {number}", "fake_jobs:add", {"number": number}, needs or {}, hints=hints)


@given(CONFIGS, CONFIGS)
@settings(max_examples=40, deadline=None)
def test_keys_are_equal_exactly_where_configurations_are(a: dict[str, Any], b: dict[str, Any]) -> None:
    first, second = (Job("job", "m:f", dict(c)) for c in (a, b))
    turned = Job("another name", "m:f", dict(reversed(list(a.items()))), hints={"x": 1}, work=7.0)
    assert first.key == turned.key == Job("job", "m:f", dict(a)).key
    assert (first.key == second.key) == (first.described() == second.described())
    assert len({first.key, Job("job", "m:g", a).key, replace(first, version=2).key}) == 3
    assert Job("j", "m:f", a, {"it": first}).key != Job("j", "m:f", a, {"it": turned, "more": first}).key


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Path("."), {1: 2}, b"x", [object()]])
def test_a_config_that_json_does_not_keep_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="job config"):
        _ = Job("job", "m:f", {"it": value}).key


def test_a_need_decides_the_key_as_far_as_its_own_does() -> None:
    def chain(number: int) -> Job:
        return adding(1, {"it": adding(2, {"it": adding(number)})})

    assert chain(3).key == chain(3).key != chain(4).key
    assert [j.config["number"] for j in closure([chain(3)]).values()] == [3, 2, 1]


def test_a_second_sweep_computes_nothing(tmp_path: Path) -> None:
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    shared = adding(1, log=str(log))
    jobs = [adding(10 * i, {"it": shared}, log=str(log)) for i in range(1, 6)]
    boards: list[Board] = []
    report = run(jobs, store, Inline(), boards.append)
    assert len(report.computed) == 6 and report.kept == 0
    assert [store.result(j)["sum"] for j in jobs] == [11, 21, 31, 41, 51]
    assert boards[-1].done == boards[-1].total == 6 and not boards[-1].seconds_left
    again = run(jobs, store, Inline())
    assert again.computed == [] and again.kept == 5  # what they needed is not even looked at
    assert len(log.read_text().splitlines()) == 6


def test_what_fails_is_named_and_the_rest_is_done(tmp_path: Path) -> None:
    store = Store(tmp_path)
    bad = Job("bad", "fake_jobs:fail", {})
    after = Job("after", "fake_jobs:add", {"number": 1}, {"it": bad})
    executor = Inline()
    with pytest.raises(JobError, match="2 of 4 jobs failed") as told:
        run([after, Job("last", "fake_jobs:add", {"number": 2}, {"it": adding(4)})], store, executor)
    assert "bad: ValueError: it is meant to" in str(told.value) and "after: needs 'bad'" in str(told.value)
    assert "it is meant to" in store.error(bad).read_text() and not executor.stopped
    assert not store.done(after) and len(list(tmp_path.glob("add-*"))) == 2


def test_a_job_killed_behind_its_result_is_not_done_again(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job("bad", "fake_jobs:fail", {})
    (store.part(job) / SCRATCH / "last").mkdir(parents=True)
    (store.part(job) / "result.json").write_text('{"it": 1}')
    (store.part(job) / "clock.json").write_text('{"cpu_seconds": 1.0, "wall_seconds": 2.0}')
    assert run([job], store, Inline()).computed == [job.key]
    assert store.result(job) == {"it": 1} and not (store.place(job) / SCRATCH).exists()
    assert not store.part(job).exists()


def test_a_function_that_is_not_there_and_resources_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="expected MODULE:FUNCTION"):
        run([Job("job", "fake_jobs:nothing", {})], Store(tmp_path), Inline())
    with pytest.raises(ConfigError, match="resources"):
        Resources(cores=-1)
    with pytest.raises(ConfigError, match="has no result"):
        Store(tmp_path).result(adding(1))
