"""Acceptance of issue 4, tasks, experts and data sets: `make accept N=4`.

Figures, data sets and recordings are kept under runs/accept-4/<digest of `PARTS`>/, so that a broken-off
acceptance goes on where it stood; remove the folder to start over. That nothing else matters is judged by
making a part of every data set again. Plants, gradients, MuJoCo and gymnasium's checker are judged by the
tests named in `PLAIN`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from kept import DEQMPC, ROOT, deqmpc, kept_under

from deqmpc_core.bundle import find_bundle, verify_bundle
from deqmpc_core.tasks import task_names

pytestmark = pytest.mark.accept

PLAIN = [
    "tests/core/test_systems.py", "tests/core/test_tasks.py", "tests/sim/test_envs.py",
    "tests/sim/test_rigid_body.py", "tests/sim/test_render.py", "tests/train/test_data_import.py",
]  # fmt: skip
SIZES = {"pendulum": 300, "cartpole": 300, "quadrotor": 2000, "qpole": 2000, "qpole_obs": 2000,
         "qpole_dyn_obs": 2000, "crazyflie": 5000}  # fmt: skip
MINUTES = 40
PARTS = (
    *(f"src/deqmpc_core/deqmpc_core/{p}" for p in ("mpc", "systems", "tasks", "flight")),
    *(f"src/deqmpc_core/deqmpc_core/policies/{p}.py" for p in ("expert", "reward_mpc", "search")),
    *(f"src/deqmpc_train/deqmpc_train/{p}" for p in ("data", "experts")), "src/deqmpc_sim",
)  # what experts, data sets and recordings come from


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(4, *PARTS)


def _expert(kept: Path, task: str, *options: str) -> dict[str, Any]:
    """The default expert's figures, flown once for each state of the tree."""
    file = kept / f"expert-{task}.json"
    if not file.exists():
        deqmpc("expert", "eval", "--task", task, "--json", str(file), *options)
    return json.loads(file.read_text())["policies"][0]


def test_plants_and_environments() -> None:
    subprocess.run([sys.executable, "-m", "pytest", "-q", *PLAIN], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("task", "options", "published", "at_least"),
    [
        ("pendulum", ("--option", "u_max=3.0"), "sac_pendulum.npz", -150.0),
        ("cartpole", (), "cgac_cartpole1l.npz", -125.0), ("quadrotor", (), None, 660.0),
    ],
)  # fmt: skip
def test_experts_returns(
    task: str, options: tuple[str, ...], published: str | None, at_least: float, kept: Path,
    shared_data: Callable[[str], Path],
) -> None:  # fmt: skip
    starts = () if published is None else ("--starts", str(shared_data(published)), "--episodes", "300")
    assert _expert(kept, task, *options, *starts)["return_mean"] >= at_least


@pytest.mark.parametrize(
    ("task", "at_least"),
    [("qpole", 0.95), ("qpole_obs", 0.92), ("qpole_dyn_obs", 0.85), ("crazyflie", 0.99)],
)
def test_experts_success(task: str, at_least: float, kept: Path) -> None:
    assert _expert(kept, task, "--episodes", "200")["success_rate"] >= at_least


@pytest.mark.parametrize("task", task_names())
def test_the_committed_expert_is_sound(task: str) -> None:
    assert verify_bundle(find_bundle(f"{task}-expert")) < 1e-3


@pytest.mark.parametrize("task", SIZES)
def test_a_data_set_of_paper_size_takes_at_most_forty_minutes(task: str, kept: Path) -> None:
    """A broken-off run goes on and adds up its seconds."""
    out, clock = kept / "data" / task, kept / f"seconds-{task}.json"
    if not clock.exists():
        so_far = clock.with_suffix(".part")
        began, before = time.monotonic(), json.loads(so_far.read_text()) if so_far.exists() else 0.0
        try:
            if not (out / "info.json").exists():
                deqmpc("data", "generate", "--task", task, "--out", str(out), "--jobs", "2")
        finally:
            so_far.write_text(json.dumps(before + time.monotonic() - began))
        so_far.replace(clock)
    assert json.loads(clock.read_text()) <= 60 * MINUTES
    info = json.loads((out / "info.json").read_text())
    assert info["asked"] == SIZES[task] == info["episodes"] + sum(info["dropped"].values())


@pytest.mark.parametrize("task", SIZES)
def test_a_part_of_a_data_set_made_again_is_the_same(task: str, kept: Path, tmp_path: Path) -> None:
    """The state of the tree that made it, and this one, give the same numbers."""
    whole, again = kept / "data" / task, tmp_path / "again"
    deqmpc("data", "generate", "--task", task, "--episodes", "25", "--spread-episodes", "0",
            "--out", str(again))  # fmt: skip
    old, new = (pq.read_table(folder / "episodes.parquet") for folder in (whole, again))
    info = json.loads((whole / "info.json").read_text())
    place = {source: i for i, source in enumerate(info["sources"])}
    for episode, source in enumerate(json.loads((again / "info.json").read_text())["sources"]):
        made = old.filter(pc.equal(old["episode"], place[source]))
        assert made["state"].equals(new.filter(pc.equal(new["episode"], episode))["state"]), source


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    words = ["data", "generate", "--task", "crazyflie", "--episodes", "100", "--steps", "20",
             "--spread-episodes", "50"]  # fmt: skip
    deqmpc(*words, "--jobs", "1", "--out", "whole", cwd=tmp_path)
    process = subprocess.Popen([*DEQMPC, *words, "--jobs", "2", "--out", "killed"], cwd=tmp_path)
    parts = tmp_path / "killed.parts"
    while len(list(parts.glob("*.parquet"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed").exists()
    deqmpc(*words, "--jobs", "2", "--out", "killed", cwd=tmp_path)
    for file in (tmp_path / "whole").iterdir():
        assert file.read_bytes() == (tmp_path / "killed" / file.name).read_bytes(), file.name
    assert sorted(p.name for p in tmp_path.iterdir()) == ["killed", "whole"]


def test_twenty_recordings_become_a_data_set(kept: Path) -> None:
    """Ten in lock-step, ten in real time: the estimator makes the node's own estimates of their poses."""
    runs = kept / "bags"
    for seed in range(20):
        if not list((runs / str(seed)).glob("*/bag/metadata.yaml")):
            speed = "max" if seed % 2 else "realtime"
            deqmpc("sim", "--episodes", "1", "--seed", str(1_000_000 + seed), "--speed", speed,
                    "--no-baselines", "--runs-dir", str(runs / str(seed)))  # fmt: skip
    report, out = kept / "bags.json", kept / "flown"
    if not report.exists():
        deqmpc("data", "from-bags", str(runs), "--out", str(out), "--json", str(report))
    told = json.loads(report.read_text())
    assert len(told["bags"]) == 20 and not told["refused"]
    assert max(told["estimate_difference"].values()) <= 1e-9
