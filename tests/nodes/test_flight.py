"""A short flight through real processes and DDS."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from rosbags.highlevel import AnyReader

from deqmpc.session.baselines import fly_baseline
from deqmpc.session.settings import SIMULATOR_NODE, configured, shipped_config
from deqmpc.session.summary import DIGITS
from deqmpc_core.flight import CommanderConfig
from deqmpc_core.tasks import load_task
from deqmpc_policy_node.topics import COMMANDER_NODE
from deqmpc_sim.firmware import TruthConfig
from tests.nodes.sim import STEPS, fly

pytestmark = pytest.mark.ros
Flown = tuple[dict[str, Any], Path]
TIMES = ("times", "tick_ms_p50", "tick_ms_p99")


def test_the_nodes_fly_what_one_process_flies_to_the_last_written_digit(flown: Flown) -> None:
    """As baselines fly, and as Table 1's flights do, which have the defaults of the code."""
    torch.set_num_threads(1)
    files, task = shipped_config(), load_task("crazyflie")
    truth = configured(TruthConfig, files, SIMULATOR_NODE)
    assert truth == TruthConfig()
    for commander in (configured(CommanderConfig, files, COMMANDER_NODE), CommanderConfig()):
        alone = fly_baseline("goal_mpc", task, 3, 2, STEPS, truth, commander, lambda: None)
        for over_dds, in_process in zip(flown[0]["episodes"], alone, strict=True):
            for key in ("return", "success", "failure", "final_distance", "min_obstacle_distance"):
                value = in_process[key]
                expected = round(value, DIGITS) if isinstance(value, float) else value
                assert over_dds[key] == expected, key


@pytest.mark.parametrize("name", ["bag", "bag_2"])
def test_each_bag_holds_a_whole_flight(name: str, flown: Flown) -> None:
    with AnyReader([flown[1] / name]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        frames = [c for c in reader.connections if c.topic == "/rigid_bodies"]
        numbers = [reader.deserialize(d, c.msgtype).frame_number for c, _, d in reader.messages(frames)]  # type: ignore[attr-defined]
    assert counts["/deqmpc/plan"] == counts["/deqmpc/estimate"] == STEPS
    assert counts["/cf1/cmd_full_state"] == STEPS * 5 - 1
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    others = {"/clock", "/cf1/pose", *(f"/deqmpc/{name}" for name in ("flight_state", "obstacles", "path"))}
    assert others <= {topic for topic, count in counts.items() if count > 0}


def test_a_run_leaves_summary_figure_and_logs(flown: Flown) -> None:
    summary, directory = flown
    assert json.loads((directory / "summary.json").read_text()) == summary
    assert (directory / "flight.png").stat().st_size > 10_000
    logs = {path.stem for path in (directory / "log").iterdir()}
    assert logs == {"simulator", "policy", "commander", "recorder"}
    episode = summary["episodes"][0]
    assert episode["seed"] == 3 and episode["overruns"] == 0 and episode["tick_ms_p99"] > 0.0
    assert summary["normalised_return"] is None or summary["normalised_return"] > 0.0


def test_the_commander_never_imports_torch() -> None:
    code = "import sys, deqmpc_policy_node.nodes.commander; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
def test_a_loaded_machine_flies_the_same(flown: Flown, tmp_path: Path) -> None:
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        arguments = ("--speed", "max", "--episodes", "2", "--seed", "3", "--steps", str(STEPS))
        loaded = fly(*arguments, "--no-baselines", "--no-record", runs=tmp_path)
    finally:
        burner.kill()
        burner.wait()
    assert _timeless(loaded) == _timeless(flown[0])


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
