"""What every executor promises: within its room, and a worker's death changes nothing but the time."""

from pathlib import Path

import pytest

from deqmpc_core.errors import ConfigError, JobError
from deqmpc_train.sweep import Job, Resources, Store, run
from deqmpc_train.sweep.cluster import RayExecutor
from deqmpc_train.sweep.local import LocalExecutor
from deqmpc_train.sweep.store import RESULT


def counting(seed: int, deaths: int) -> Job:
    return Job(f"count {seed}", "fake_jobs:count", {"seed": seed, "steps": 8}, hints={"deaths": deaths})


def bytes_of(store: Store, jobs: list[Job]) -> list[bytes]:
    return [(store.place(job) / RESULT).read_bytes() for job in jobs]


def test_a_job_whose_worker_dies_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    executor = LocalExecutor(cores=2, retries=2)
    try:
        quiet, hard = Store(tmp_path / "quiet"), Store(tmp_path / "hard")
        calm = [counting(seed, 0) for seed in range(3)]
        run(calm, quiet, executor)
        run([counting(seed, 2 * (seed == 1)) for seed in range(3)], hard, executor)
        assert bytes_of(quiet, calm) == bytes_of(hard, calm)
        assert not list(hard.root.glob("*.part"))
        with pytest.raises(JobError, match="count 7: its worker died 3 times, last with exit status -9"):
            run([counting(7, 5), counting(8, 0)], hard, executor)
        assert hard.done(counting(8, 0)) and hard.part(counting(7, 0)).is_dir()
        run([counting(7, 0)], hard, executor)  # what is left of it is gone on with
        run([counting(7, 0)], quiet, executor)
        assert bytes_of(hard, [counting(7, 0)]) == bytes_of(quiet, [counting(7, 0)])
    finally:
        executor.stop()


def test_a_machine_of_its_own_and_no_more_memory_than_there_is(tmp_path: Path) -> None:
    executor, store = LocalExecutor(cores=2, memory=4.0), Store(tmp_path)
    alone = Job("alone", "fake_jobs:wait", {"n": 0}, resources=Resources(cores=0))
    large = [Job(f"large {n}", "fake_jobs:wait", {"n": n}, resources=Resources(1, 2.5)) for n in (1, 2)]
    try:
        run([large[0], alone, large[1]], store, executor)
        small = Job("small", "fake_jobs:wait", {"n": 3})
        for name, need in {"needs 5 GiB": Resources(1, 5.0), "needs a GPU": Resources(1, 1.0, 0.5)}.items():
            with pytest.raises(ConfigError, match=name):
                run([small, Job("large", "fake_jobs:wait", {"n": 4}, resources=need)], store, executor)
        assert not store.done(small)  # refused before anything begins
        run([Job("wide", "fake_jobs:wait", {"n": 5}, resources=Resources(3))], store, executor)  # takes all
    finally:
        executor.stop()
    spans = sorted((store.result(j)["begun"], store.result(j)["ended"]) for j in (alone, *large))
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))


def test_ray_is_asked_for_by_name_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ConfigError, match=r"deqmpc_train\[cluster\]"):
        RayExecutor()


@pytest.mark.slow
def test_a_ray_cluster_gives_the_local_bytes(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-cluster.txt")
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    calm, jobs = [counting(s, 0) for s in range(6)], [counting(s, 2 * (s == 1)) for s in range(6)]
    local, cluster = LocalExecutor(cores=2), RayExecutor(cores=3)
    try:
        run(calm, here, local)
        run(jobs, there, cluster)
        assert bytes_of(here, calm) == bytes_of(there, calm)
        assert run(jobs, there, cluster).computed == []
        with pytest.raises(ConfigError, match="no machine of the cluster has 1 cores, 1.5 GiB and 9 GPUs"):
            cluster.check(Job("large", "fake_jobs:wait", {}, resources=Resources(gpus=9.0)))
    finally:
        local.stop()
        cluster.stop()
