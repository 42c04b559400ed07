"""Acceptance of issue 7, sweeps and the paper's figures: `make accept N=7`.

What was computed is kept under runs/accept-7/<digest of src>/, so that a broken-off acceptance goes on
where it stood; remove the folder to start over. The laptop results are read from where they are committed.
"""

import json
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from kept import DEQMPC, ROOT, deqmpc, kept_under, once

from deqmpc_train.config import Overrides
from deqmpc_train.paper.catalogue import FIGURES
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.scale import scale_of
from deqmpc_train.sweep import Job, Store, closure, run
from deqmpc_train.sweep.cluster import RayExecutor
from deqmpc_train.sweep.local import LocalExecutor

pytestmark = pytest.mark.accept

LAPTOP = ("fig2", "fig6", "fig8", "fig10", "convergence", "timing", "table1")
VERDICTS = {"agrees", "differs", "too noisy to say"}
RESULTS = ROOT / "docs" / "results" / "paper"


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(7, "src")


@pytest.fixture(scope="session")
def jobs(kept: Path) -> list[Job]:
    """24 small trainings, four variants on six splits, of some seconds each."""
    data = kept / "data" / "crazyflie"
    if not (data / "info.json").exists():
        words = ["--task", "crazyflie", "--episodes", "30", "--steps", "15", "--spread-episodes", "0"]
        deqmpc("data", "generate", *words, "--policy", "straight-line", "--out", str(data))
    small = Overrides(rounds=3, steps=200, batch=16, hidden=16, validate_every=20, checkpoint_every=5)
    plan = Plan(replace(scale_of("smoke"), overrides=small, grid=(1e-3,)), kept / "data")
    variants = ("deqmpc-deq", "deqmpc-nn", "diffmpc-deq", "diffmpc-nn")
    return [plan.training("crazyflie", variant, split) for split in range(6) for variant in variants]


def kill_workers(store: Store, jobs: list[Job], killed: list[int], times: int) -> None:
    """End processes that have told the store they are at a training, by their numbers there."""
    until = time.monotonic() + 600.0
    while len(killed) < times and time.monotonic() < until:
        for job in jobs:
            at = store.progress(job)
            if at.pid and at.done > 5 and at.pid not in killed and len(killed) < times:
                with suppress(ProcessLookupError):
                    os.kill(at.pid, signal.SIGKILL)
                    killed.append(at.pid)
        time.sleep(0.05)


def test_24_jobs_on_ray_equal_the_local_ones_though_workers_are_killed(
    jobs: list[Job], kept: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-cluster.txt")
    assert len({job.key for job in jobs}) == 24
    here, there, killed = Store(kept / "local"), Store(tmp_path / "ray"), list[int]()
    local, ray = LocalExecutor(), RayExecutor(cores=3)  # a cluster of its own
    killer = threading.Thread(target=kill_workers, args=(there, jobs, killed, 2), daemon=True)
    try:
        run(jobs, here, local)
        killer.start()
        report = run(jobs, there, ray)
        assert len(killed) == 2 and len(report.computed) == 24 + 4 + 1
        assert run(jobs, there, ray).computed == []
    finally:
        local.stop()
        ray.stop()
    for job in closure(jobs).values():
        assert (here.place(job) / "result.json").read_bytes() == (
            there.place(job) / "result.json"
        ).read_bytes()
    for job in jobs:
        for name in ("model.safetensors", "golden.safetensors", "policy.json"):
            ours, theirs = (s.place(job) / "policy" / name for s in (here, there))
            assert ours.read_bytes() == theirs.read_bytes(), f"{job.name}: {name}"
    assert not list(there.root.glob("*.part"))


def test_every_figure_at_smoke_budget_in_a_quarter_of_an_hour(kept: Path) -> None:
    """From nothing, but with what `make build` compiles."""
    out = kept / "smoke"

    def make() -> dict[str, float]:
        begun = time.monotonic()
        deqmpc("paper", "all", "--budget", "smoke", "--store", str(kept / "sweep"), "--out", str(out))
        return {"seconds": time.monotonic() - begun}

    assert once(kept / "smoke.json", make)["seconds"] < 15 * 60
    for name in FIGURES:
        told = json.loads((out / f"{name}.json").read_text())
        assert {c["verdict"] for c in told["claims"]} <= VERDICTS and told["cells"]
        assert (out / f"{name}.png").is_file() and (out / f"{name}.md").is_file()
    words = [*DEQMPC, "sweep", "all", "--budget", "smoke", "--store", str(kept / "sweep")]
    again = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert again.stdout.startswith("0 jobs computed")


def test_a_killed_sweep_goes_on_where_it_stood(kept: Path, tmp_path: Path) -> None:
    words = [*DEQMPC, "sweep", "fig10", "--budget", "smoke", "--store", str(tmp_path)]
    process = subprocess.Popen(words, cwd=ROOT)
    while not list(tmp_path.glob("train-*/result.json")):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.1)
    process.kill()
    process.wait()
    before = {place: (place / "result.json").stat().st_mtime for place in tmp_path.glob("*-*[!t]/")
              if (place / "result.json").is_file()}  # fmt: skip
    subprocess.run(words, cwd=ROOT, check=True)
    assert before and all((place / "result.json").stat().st_mtime == t for place, t in before.items())


@pytest.mark.parametrize("name", FIGURES)
def test_the_committed_results_say_of_each_claim_what_we_found(name: str) -> None:
    budget = "laptop" if name in LAPTOP else "smoke"
    told = json.loads((RESULTS / budget / f"{name}.json").read_text())
    assert len(told["claims"]) == len(FIGURES[name].claims) and told["cpu_hours"] > 0.0
    assert {c["verdict"] for c in told["claims"]} <= VERDICTS
    assert f"--budget {budget}" in told["command"] and (RESULTS / budget / f"{name}.png").is_file()
