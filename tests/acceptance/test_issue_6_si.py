"""Acceptance of issue 6, faults and endurance: `make accept N=6`.

What was measured is kept under runs/accept-6/<digest of src, models and config>/; remove it to start over.
"""

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from kept import DEQMPC, ROOT, kept_under, once
from rosbags.highlevel import AnyReader

from deqmpc.session.faults import FAULTS
from deqmpc.session.processes import MODULES

pytestmark = pytest.mark.accept

POLICY = "models/crazyflie-deqmpc-deq"
EPISODES, STEPS = 60, 200
"""About 32 s of simulated flight each: take-off, way, 20 s of policy, landing."""
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
def endurance(kept: Path) -> dict[str, Any]:
    """Thirty simulated minutes back to back: memory of each node every two seconds, and the summary."""

    def fly() -> dict[str, Any]:
        out, runs = kept / "thirty.json", kept / "thirty"
        line = [*DEQMPC, "sim", "--policy", POLICY, "--episodes", str(EPISODES), "--seed", "6"]
        options = ["--speed", "max", "--no-baselines", "--json", str(out), "--runs-dir", str(runs)]
        with subprocess.Popen([*line, *options], cwd=ROOT) as run:
            memory = watch(run, str(runs))
        assert run.returncode == 0
        return {"memory": memory, "summary": json.loads(out.read_text())}

    return once(kept / "endurance.json", fly)


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
def test_memory_is_flat_over_thirty_minutes(name: str, endurance: dict[str, Any]) -> None:
    samples = [value for value in endurance["memory"][name] if value == value]
    samples = samples[int(SETTLED * len(samples)) :]
    part = len(samples) // 10
    assert part >= 5, "too few samples"
    first, last = statistics.median(samples[:part]), statistics.median(samples[-part:])
    assert last <= 1.02 * first, f"{name}: {first:.1f} MB, then {last:.1f} MB"


def test_thirty_minutes_are_flown_and_recorded(kept: Path, endurance: dict[str, Any]) -> None:
    assert sum(e["success"] for e in endurance["summary"]["episodes"]) >= EPISODES - 3
    bags = sorted(path.parent for path in (kept / "thirty").rglob("metadata.yaml"))
    assert bags and not list((kept / "thirty").rglob("*.active"))
    counts: dict[str, int] = {}
    for bag in bags:
        with AnyReader([bag]) as reader:
            for connection in reader.connections:
                counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
    assert counts["/deqmpc/plan"] == EPISODES * STEPS
    assert counts["/cf1/cmd_full_state"] >= EPISODES * (5 * STEPS - 1)
