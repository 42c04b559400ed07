"""What happens when processes die in mid-flight, and when a user breaks off."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from rosbags.highlevel import AnyReader

from tests.nodes.sim import ROOT, command, environment, fly, processes_of

pytestmark = pytest.mark.ros
SHORT = ("--no-baselines", "--no-record", "--steps", "60", "--speed", "max")


def _happened(summary: dict[str, Any]) -> list[tuple[float, str]]:
    lines = [line.split(" s: ", 1) for line in summary["episodes"][0]["happened"]]
    return [(float(t), sentence) for t, sentence in lines]


def _time_of(happened: list[tuple[float, str]], words: str) -> float:
    return next(t for t, sentence in happened if words in sentence)


def test_without_a_policy_the_commander_lands(tmp_path: Path) -> None:
    summary = fly(*SHORT, "--faults", "policy_killed", runs=tmp_path)
    happened = _happened(summary)
    killed, landing = _time_of(happened, "'policy' was ended by SIGKILL"), _time_of(happened, "LANDING")
    assert 0.0 <= landing - killed <= 1.0
    assert killed < _time_of(happened, "motors off: landing finished") <= _time_of(happened, "LANDED")
    assert not any("levelled out" in sentence for _, sentence in happened)
    assert "no usable plan" in summary["episodes"][0]["failure"]
    [row] = summary["faults"]
    assert row["holds"] and row["setpoints"] > 100 and row["unsafe_setpoints"] == 0 and row["crash"] == ""
    assert processes_of(tmp_path) == []


@pytest.mark.slow
def test_without_a_commander_the_firmware_levels_and_cuts(tmp_path: Path) -> None:
    summary = fly(*SHORT, "--faults", "commander_killed", runs=tmp_path)
    happened = _happened(summary)
    killed = _time_of(happened, "'commander' was ended by SIGKILL")
    assert 0.3 <= _time_of(happened, "levelled out: no setpoint for 0.5 s") - killed <= 0.9
    assert 1.8 <= _time_of(happened, "motors off and locked: no setpoint for 2.0 s") - killed <= 2.4
    assert summary["episodes"][0]["failure"]
    [row] = summary["faults"]
    assert row["holds"] and row["crash"], "nobody is left to land"
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_breaking_off_leaves_no_process_and_a_readable_bag(number: int, tmp_path: Path) -> None:
    line = command("--no-baselines", runs=tmp_path)
    run = subprocess.Popen(line, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, start_new_session=True)
    _wait_for_setpoints(tmp_path)
    os.kill(run.pid, number)
    assert run.wait(60) == 130
    assert processes_of(tmp_path) == []
    bag = next(tmp_path.glob("*/bag"))
    with AnyReader([bag]) as reader:
        assert sum(c.msgcount for c in reader.connections if c.topic == "/rigid_bodies") > 0


def _wait_for_setpoints(runs: Path) -> None:
    """Until the recorder has written its second second: processes are up and messages flow."""
    deadline = time.monotonic() + 90.0
    while time.monotonic() < deadline:
        sizes = [path.stat().st_size for path in runs.glob("*/bag.active/bag_0.mcap")]
        if sizes and sizes[0] > 50_000:
            return
        time.sleep(0.2)
    raise AssertionError("no bag grew within 90 s")
