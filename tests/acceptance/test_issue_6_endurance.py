"""Acceptance of issue 6, thirty minutes of flight: `make accept N=6`.

What was measured is kept under runs/accept-6/<digest of src, models and config>/; remove it to start over.
Others on the same machine make ticks late too, so only those count that fell due while nobody took its time.
"""

import json
import math
import shutil
import statistics
import subprocess
import time
from bisect import bisect_left
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from calm import MOST_STOLEN, stolen_since, times, until_calm
from kept import DEQMPC, FLOWN, ROOT, kept_under, once
from rosbags.highlevel import AnyReader

from deqmpc.session.processes import MODULES
from deqmpc_policy_node.topics import SOLVE_INFO

pytestmark = pytest.mark.accept

POLICY = "models/crazyflie-deqmpc-deq"
EMPTY = "hover"
EPISODES, STEPS = {POLICY: 60, EMPTY: 20}, 200
"""About 31 s each: take-off, way, 20 s of policy, landing."""
NODES = [name for name in MODULES if name != "view"]
"""Those of a flight; the view is another programme, for people who watch."""
SETTLED = 0.15
"""Share of the run after which memory must be flat: caches are filled by then."""
LOOK = 2.0
"""s between looks at the machine."""
CALM = 0.02
"""Share of the machine's time that others may take in the seconds in which ticks count."""


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(6, *FLOWN)


@pytest.fixture(scope="session")
def endurance(kept: Path) -> dict[str, dict[str, Any]]:
    """Thirty minutes back to back in real time, then ten of the empty controller: memory of each node every
    two seconds, and the summary, of both."""
    return once(kept / "endurance.json", lambda: {name: flown(name, kept) for name in EPISODES})


def flown(policy: str, kept: Path) -> dict[str, Any]:
    """The episodes, begun on a calm machine."""

    def fly() -> dict[str, Any]:
        until_calm()
        flights = started(policy, kept)
        seen = watch(flights, folder(policy))
        assert flights.returncode == 0
        return {**seen, "summary": json.loads((kept / f"{folder(policy)}.json").read_text())}

    return once(kept / f"{folder(policy)}-told.json", fly)


def folder(policy: str) -> str:
    return f"endurance-{Path(policy).name}"


def started(policy: str, kept: Path) -> subprocess.Popen:
    """A run of the episodes in a ROS domain of its own."""
    shutil.rmtree(kept / folder(policy), ignore_errors=True)
    line = [*DEQMPC, "sim", "--policy", policy, "--episodes", str(EPISODES[policy]), "--seed", "6", "--speed"]
    options = ["realtime", "--no-baselines", "--json", str(kept / f"{folder(policy)}.json")]
    return subprocess.Popen([*line, *options, "--runs-dir", str(kept / folder(policy))], cwd=ROOT)


def watch(run: subprocess.Popen, mark: str) -> dict[str, Any]:
    """Until the run ends, every LOOK: "memory", resident, of its nodes by name [MB] (`mark` stands in
    their command lines), and "stolen", the time [s] and the share of the machine that others have taken."""
    memory: dict[str, list[float]] = {name: [] for name in NODES}
    stolen, last = [], times()
    while run.poll() is None:
        for name in NODES:
            processes = [path for path in Path("/proc").glob("[0-9]*") if runs(path, MODULES[name], mark)]
            memory[name] += [resident(path) for path in processes]
        time.sleep(LOOK)
        stolen.append((time.time(), stolen_since(last)))
        last = times()
    return {"memory": memory, "stolen": stolen}


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


@pytest.mark.parametrize("name", NODES)
def test_memory_is_flat_over_thirty_minutes(name: str, endurance: dict[str, dict[str, Any]]) -> None:
    samples = [value for value in endurance[POLICY]["memory"][name] if value == value]
    samples = samples[int(SETTLED * len(samples)) :]
    part = len(samples) // 10
    assert part >= 5, "too few samples"
    first, last = statistics.median(samples[:part]), statistics.median(samples[-part:])
    assert last <= 1.02 * first, f"{name}: {first:.1f} MB, then {last:.1f} MB"


@pytest.fixture(scope="session")
def told(kept: Path, endurance: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of the bags of both runs, in the order of the flights: plans, plans that are missing, those of calm
    seconds and the late ones among these, and the share that others took of the flight's time."""
    return once(
        kept / "told.json",
        lambda: {name: counted(kept / folder(name), run["stolen"]) for name, run in endurance.items()},
    )


def counted(runs: Path, stolen: list[tuple[float, float]]) -> dict[str, Any]:
    assert not list(runs.rglob("*.active"))
    bags = sorted(of_bag(path.parent, stolen) for path in runs.rglob("metadata.yaml"))
    flights = [flight for _, flight in bags]
    sums = {key: sum(flight[key] for flight in flights) for key in ("plans", "missing", "calm", "late")}
    return {**sums, "flights": flights}


def of_bag(bag: Path, stolen: list[tuple[float, float]]) -> tuple[float, dict[str, Any]]:
    """When it begins [s], and its figures."""
    with AnyReader([bag]) as reader:
        begin, end = reader.start_time / 1e9, reader.end_time / 1e9
        infos = [
            (stamp / 1e9, reader.deserialize(data, connection.msgtype))
            for connection, stamp, data in reader.messages()
            if connection.topic == SOLVE_INFO
        ]
    calm = [info for at, info in infos if is_calm(at, stolen)]
    return begin, {
        "plans": len(infos), "calm": len(calm), "late": sum(info.late for info in calm),
        "missing": sum(b.sequence != a.sequence + 1 for (_, a), (_, b) in pairwise(infos)),
        "stolen": max((share for at, share in stolen if begin <= at <= end + LOOK), default=1.0),
    }  # fmt: skip


def is_calm(at: float, stolen: list[tuple[float, float]]) -> bool:
    """Whether the two looks around that time, and the one after, saw nobody take anything."""
    k = bisect_left(stolen, at, key=lambda look: look[0])
    return all(share <= CALM for _, share in stolen[max(k - 1, 0) : k + 2])


def test_thirty_minutes_are_flown_and_recorded(
    endurance: dict[str, dict[str, Any]], told: dict[str, dict[str, Any]]
) -> None:
    """Every flight has its bag and no bag lacks a plan. Whether it was flown to its end is asked of flights
    during which others never took a tenth of the machine: at half of it poses come too late, and it lands."""
    episodes, flights = endurance[POLICY]["summary"]["episodes"], told[POLICY]["flights"]
    assert len(flights) == EPISODES[POLICY] and told[POLICY]["missing"] == 0
    quiet = [(e, f) for e, f in zip(episodes, flights, strict=True) if f["stolen"] <= MOST_STOLEN]
    assert len(quiet) >= EPISODES[POLICY] // 4, "the machine was never calm"
    assert sum(e["success"] for e, _ in quiet) >= 0.95 * len(quiet)
    assert sum(f["plans"] for _, f in quiet) >= 0.98 * STEPS * len(quiet)


def test_no_more_ticks_are_late_than_with_an_empty_controller(told: dict[str, dict[str, Any]]) -> None:
    """By no more than chance: were a tick of both late equally often, so large a part of the late ones would
    be the policy's with a probability of 5 % or more."""
    ours, empty = told[POLICY], told[EMPTY]
    assert empty["calm"] > 0.3 * empty["plans"] and ours["calm"] > 0.3 * ours["plans"]
    late, part = ours["late"] + empty["late"], ours["calm"] / (ours["calm"] + empty["calm"])
    chance = sum(
        math.comb(late, k) * part**k * (1.0 - part) ** (late - k) for k in range(ours["late"], late + 1)
    )
    assert chance >= 0.05, told
