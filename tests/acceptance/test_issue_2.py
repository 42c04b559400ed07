"""Acceptance of issue 2, first flight: `make accept N=2`.

Runs are kept under runs/accept-2/<digest>/, so that a broken-off acceptance goes on where it stood; remove
the folder to start over.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kept import ROOT, git, kept_under
from rosbags.highlevel import AnyReader

pytestmark = pytest.mark.accept

POLICY = "models/crazyflie-deqmpc-deq"
TYPE_HASHES = {
    "/rigid_bodies": "RIHS01_1f2d74f2a1706c59639a2349b7be91e9e4d751fad6fc3048c59d8f1f0576ea70",
    "/cf1/cmd_full_state": "RIHS01_bd2e17994c6bec891c6ea8232010a47ecd291bc282ef452814229fd9297ba56f",
}


def _kept() -> Path:
    """The folder of what flies: any change of it starts over, a change of tests or pages does not."""
    return kept_under(2, "src", "models", "config")


def _sim(name: str, *options: str) -> dict[str, Any]:
    """Summary of `deqmpc sim`, flown once for each state of the tree."""
    out = _kept() / f"{name}.json"
    if not out.exists():
        line = [sys.executable, "-m", "deqmpc", "sim", "--runs-dir", str(_kept() / name), *options]
        subprocess.run([*line, "--json", str(out)], cwd=ROOT, check=True, timeout=5000)
    return json.loads(out.read_text())


def _twenty(name: str, *options: str) -> dict[str, Any]:
    flights = ("--policy", POLICY, "--episodes", "20", "--seed", "0", "--speed", "max")
    return _sim(name, *flights, *options)


def test_a_fresh_clone_flies_and_passes_its_tests(tmp_path: Path) -> None:
    """In an empty directory with no shared folder beside it; nothing of this environment leaks in."""
    clone, done = tmp_path / "alone" / "clone", _kept() / "fresh_clone.txt"
    if done.exists():
        return
    clone.parent.mkdir()
    git("clone", "--quiet", str(ROOT), str(clone))
    known = ("PATH", "HOME", "LANG", "TERM")
    clean = {key: value for key, value in os.environ.items() if key in known or key.startswith("PIP_")}
    for goal in ("sim", "test"):
        result = subprocess.run(["make", goal], cwd=clone, env=clean, timeout=4000)
        assert result.returncode == 0, f"make {goal} exited with {result.returncode}"
    assert list(clone.glob("runs/*/flight.png")) and list(clone.glob("runs/*/summary.json"))
    done.write_text("make sim and make test exited 0\n")


def test_twenty_flights_of_the_learned_policy() -> None:
    summary = _twenty("twenty")
    flights = summary["episodes"]
    assert len(flights) == 20
    assert sum(flight["success"] for flight in flights) >= 18
    assert sum(flight["failure"] is not None for flight in flights) <= 1
    assert summary["normalised_return"] >= 0.90
    assert statistics.median(flight["tick_ms_p99"] for flight in flights) < 50.0
    assert np.quantile(_tick_ms("twenty"), 0.99) < 50.0, "of all ticks of the twenty flights"
    failures = {
        name: sum(f["failure"] is not None for f in group["episodes"])
        for name, group in summary["baselines"].items()
    }
    assert failures["straight_line"] >= 8, "the test is too easy"
    assert set(failures) == {"hover", "straight_line", "goal_mpc"}


def _tick_ms(name: str) -> list[float]:
    """Milliseconds of every tick of a run's flights, as its bag has them."""
    bag = next((_kept() / name).glob("*/bag/metadata.yaml")).parent
    with AnyReader([bag]) as reader:
        plans = [c for c in reader.connections if c.msgtype == "deqmpc_interfaces/msg/Plan"]
        return [float(reader.deserialize(raw, c.msgtype).tick_ms) for c, _, raw in reader.messages(plans)]


@contextlib.contextmanager
def _busy_core() -> Iterator[None]:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        burner.kill()
        burner.wait()


def test_the_same_seed_gives_the_same_flights_beside_a_busy_core() -> None:
    with _busy_core():
        beside = _twenty("twenty_busy", "--no-baselines", "--no-record")
    quiet = _twenty("twenty")
    for summary in (beside, quiet):
        summary.pop("times")
        summary.pop("baselines")
        for flight in summary["episodes"]:
            flight.pop("tick_ms_p50"), flight.pop("tick_ms_p99")
    assert beside == quiet


@pytest.mark.parametrize(
    ("fault", "sentences"),
    [
        ("policy_killed", ("'policy' was ended by SIGKILL", "LANDING", "landing finished")),
        ("commander_killed", ("'commander' was ended by SIGKILL", "levelled out", "motors off and locked")),
    ],
)
@pytest.mark.parametrize("speed", ["realtime", "max"])
def test_a_killed_node_ends_as_it_should(fault: str, sentences: tuple[str, ...], speed: str) -> None:
    options = ("--policy", POLICY, "--faults", fault, "--speed", speed, "--no-baselines")
    happened = "\n".join(_sim(f"{fault}_{speed}", *options)["episodes"][0]["happened"])
    places = [happened.find(sentence) for sentence in sentences]
    assert -1 not in places and places == sorted(places), happened


def test_the_margin_is_known() -> None:
    """Every cell of rotor lag, mass and mocap latency is flown; the nominal one has no failure."""
    out = _kept() / "margin.json"
    line = [sys.executable, "-m", "deqmpc", "bench", "margin", "--policy", POLICY, "--episodes", "2"]
    subprocess.run([*line, "--json", str(out)], cwd=ROOT, check=True, timeout=5000)
    cells = json.loads(out.read_text())["cells"]
    assert len(cells) == 48
    nominal = [c for c in cells if (c["rotor_lag"], c["mass"], c["mocap_latency"]) == (0.06, 1.0, 0.01)]
    assert nominal[0]["success"] == nominal[0]["episodes"]


def test_the_bag_opens_and_holds_the_flight() -> None:
    _twenty("twenty")
    bags = sorted(p.parent for p in (_kept() / "twenty").glob("*/bag*/**/metadata.yaml"))
    assert bags
    with AnyReader([bags[0]]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        digests = {c.topic: c.digest for c in reader.connections}
    for topic, digest in TYPE_HASHES.items():
        assert counts[topic] > 0 and digests[topic] == digest
    assert any("plan" in topic and count > 0 for topic, count in counts.items())


def test_the_readme_says_what_it_must() -> None:
    text = (ROOT / "README.md").read_text()
    for words in ("make sim", "make test", "## Layout", "docs/images/flight.png"):
        assert words in text
    assert (ROOT / "docs/images/flight.png").stat().st_size > 10_000
