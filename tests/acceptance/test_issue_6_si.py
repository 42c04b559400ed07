"""Acceptance of issue 6, faults and endurance: `make accept N=6`.

What was measured is kept under runs/accept-6/<digest of src, models and config>/; remove it to start over.
"""

import json
import shutil
import statistics
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from calm import in_calm
from kept import DEQMPC, ROOT, kept_under, once
from rosbags.highlevel import AnyReader

from deqmpc.session.faults import FAULTS
from deqmpc.session.processes import MODULES
from deqmpc_policy_node.topics import SOLVE_INFO

pytestmark = pytest.mark.accept

POLICY = "models/crazyflie-deqmpc-deq"
EMPTY = "hover"
EPISODES, STEPS = {POLICY: 60, EMPTY: 20}, 200
"""About 31 s each: take-off, way, 20 s of policy, landing."""
SETTLED = 0.15
"""Share of the run after which memory must be flat: caches are filled by then."""


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(6, "src", "models", "config")


@pytest.fixture(scope="session")
def faults(kept: Path) -> dict[str, Any]:
    """What `deqmpc sim --faults all` wrote, and its status."""

    def fly() -> dict[str, Any]:
        line = [*DEQMPC, "sim", "--policy", POLICY, "--faults", "all", "--json", str(kept / "table.json")]
        status = subprocess.run([*line, "--runs-dir", str(kept / "faults")], cwd=ROOT).returncode
        return {"status": status, **json.loads((kept / "table.json").read_text())}

    return once(kept / "faults.json", fly)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gets_the_answer_demanded(name: str, faults: dict[str, Any]) -> None:
    [row] = [row for row in faults["faults"] if row["fault"] == name]
    assert row["holds"], row["objections"]
    assert row["unsafe_setpoints"] == 0
    assert name == "commander_killed" or (row["longest_gap_s"] <= 0.2 and not row["crash"])


def test_the_status_tells(faults: dict[str, Any]) -> None:
    assert faults["status"] == 0 and faults["holds"]


@pytest.fixture(scope="session")
def endurance(kept: Path) -> dict[str, dict[str, Any]]:
    """Thirty minutes back to back in real time, then ten of the empty controller: memory of each node every
    two seconds, and the summary, of both."""
    return once(kept / "endurance.json", lambda: {name: flown(name, kept) for name in EPISODES})


def flown(policy: str, kept: Path) -> dict[str, Any]:
    """The episodes on a machine that is calm as a whole."""

    def fly() -> dict[str, Any]:
        flights = started(policy, kept)
        memory = watch(flights, folder(policy))
        assert flights.returncode == 0
        return {"memory": memory, "summary": json.loads((kept / f"{folder(policy)}.json").read_text())}

    return once(kept / f"{folder(policy)}-told.json", lambda: in_calm(fly))


def folder(policy: str) -> str:
    return f"endurance-{Path(policy).name}"


def started(policy: str, kept: Path) -> subprocess.Popen:
    """A run of the episodes in a ROS domain of its own."""
    shutil.rmtree(kept / folder(policy), ignore_errors=True)
    line = [*DEQMPC, "sim", "--policy", policy, "--episodes", str(EPISODES[policy]), "--seed", "6", "--speed"]
    options = ["realtime", "--no-baselines", "--json", str(kept / f"{folder(policy)}.json")]
    return subprocess.Popen([*line, *options, "--runs-dir", str(kept / folder(policy))], cwd=ROOT)


def watch(run: subprocess.Popen, mark: str) -> dict[str, list[float]]:
    """Resident memory [MB] of the run's nodes by name until it ends; `mark` stands in their command lines."""
    memory: dict[str, list[float]] = {name: [] for name in MODULES}
    while run.poll() is None:
        for name, module in MODULES.items():
            processes = [path for path in Path("/proc").glob("[0-9]*") if runs(path, module, mark)]
            memory[name] += [resident(path) for path in processes]
        time.sleep(2.0)
    return memory


def runs(process: Path, module: str, mark: str) -> bool:
    try:
        line = (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return module in line and mark in line


def resident(process: Path) -> float:
    try:
        pages = int((process / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return float("nan")
    return pages * 4096 / 1e6


@pytest.mark.parametrize("name", MODULES)
def test_memory_is_flat_over_thirty_minutes(name: str, endurance: dict[str, dict[str, Any]]) -> None:
    samples = [value for value in endurance[POLICY]["memory"][name] if value == value]
    samples = samples[int(SETTLED * len(samples)) :]
    part = len(samples) // 10
    assert part >= 5, "too few samples"
    first, last = statistics.median(samples[:part]), statistics.median(samples[-part:])
    assert last <= 1.02 * first, f"{name}: {first:.1f} MB, then {last:.1f} MB"


@pytest.fixture(scope="session")
def told(kept: Path, endurance: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Of the bags of both runs: how many there are, plans, late ticks, and plans that are missing."""
    return once(kept / "told.json", lambda: {name: counted(kept / folder(name)) for name in endurance})


def counted(runs: Path) -> dict[str, int]:
    assert not list(runs.rglob("*.active"))
    told = {"bags": 0, "plans": 0, "late": 0, "missing": 0}
    for bag in (path.parent for path in runs.rglob("metadata.yaml")):
        with AnyReader([bag]) as reader:
            infos: list[Any] = [
                reader.deserialize(data, connection.msgtype)
                for connection, _, data in reader.messages()
                if connection.topic == SOLVE_INFO
            ]
        told["bags"] += 1
        told["plans"] += len(infos)
        told["late"] += sum(info.late for info in infos)
        told["missing"] += sum(b.sequence != a.sequence + 1 for a, b in pairwise(infos))
    return told


def test_thirty_minutes_are_flown_and_recorded(
    endurance: dict[str, dict[str, Any]], told: dict[str, dict[str, int]]
) -> None:
    flights = endurance[POLICY]["summary"]["episodes"]
    assert sum(e["success"] for e in flights) >= EPISODES[POLICY] - 3
    assert told[POLICY]["bags"] == EPISODES[POLICY] and told[POLICY]["missing"] == 0
    assert told[POLICY]["plans"] >= 0.98 * EPISODES[POLICY] * STEPS


def test_no_more_ticks_are_late_than_with_an_empty_controller(told: dict[str, dict[str, int]]) -> None:
    """By no more than chance: late ticks come one by one, so their number has a spread of its root."""
    ours, empty = told[POLICY], told[EMPTY]
    expected = empty["late"] * ours["plans"] / empty["plans"]
    spread = (ours["late"] + (ours["plans"] / empty["plans"]) ** 2 * empty["late"]) ** 0.5
    assert ours["late"] <= expected + 2.0 * spread, f"{ours} late ticks, {empty} with {EMPTY}"
