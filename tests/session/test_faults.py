"""The table of faults without a graph: declarations, judgements, laws, the spoiled policy."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc.session import answers
from deqmpc.session.fault_flights import groups, speed_of
from deqmpc.session.fault_rows import row
from deqmpc.session.faults import AFTER, FAULTS, parse_faults
from deqmpc.session.faulty_policy import FaultyPolicy, spoiled
from deqmpc.session.flown import LONGEST_GAP, Flown
from deqmpc.session.settings import RunSettings
from deqmpc.session.small_disk import mount_small_disk, possible
from deqmpc.session.striker import launches, wrong_bundle
from deqmpc.session.track import Track
from deqmpc_core.errors import ConfigError, DeqmpcError, UnknownNameError
from deqmpc_core.flight.configuration import CommanderConfig
from deqmpc_core.types import Plan, Status

ROOT = Path(__file__).resolve().parents[2]
ASKED = (
    "mocap_silent_0.2s", "mocap_silent_0.6s", "mocap_silent_3s", "mocap_frozen", "mocap_jump", "mocap_nan",
    "mocap_wrong_body", "mocap_reordered", "clock_step", "solver_nan", "solver_not_converged",
    "tick_overrun_1x", "tick_overrun_5x", "swap_corrupt", "swap_other_task", "policy_killed",
    "commander_killed", "recorder_killed", "disk_full", "service_absent", "radio_loss_30",
)  # fmt: skip
BEGAN, PERIODS = 5.0, 60
SETTINGS = RunSettings("goal-mpc", "crazyflie", 0, 1, "max", PERIODS, 0.1, True, ("mocap_nan",))
CONFIG = CommanderConfig()


def flight(landing_after: float | None = None, why: str = "", **changes: object) -> Flown:
    """A flight whose landing begins so long after the strike [s], by default at its end."""
    over = BEGAN + (PERIODS * 0.1 if landing_after is None else AFTER + landing_after)
    phases = [(1.0, "TAKEOFF", ""), (BEGAN, "POLICY", ""), (over, "LANDING", why)]
    phases.append((over + 3.0, "LANDED", why))
    times = np.arange(BEGAN + 0.02, over, 0.02)
    rows = [(float(t), 0.0, 0.0, 1.0, *[0.0] * 6, 1.0) for t in times]
    firmware = [(over + 2.0, "motors off: landing finished")]
    seen = Flown(phases, firmware, rows, struck=BEGAN + AFTER, due=PERIODS * 0.1)
    return replace(seen, **changes)  # type: ignore[arg-type]


ANSWERED: dict[Any, Flown] = {
    answers.flies_on: flight(),
    answers.flies_on_smoothly: flight(),
    answers.comes_down: flight(0.3),
    answers.refuses_swap: flight(swap=(False, "half of the weights are missing")),
    answers.outlives_recording: flight(log="the disk is full: recording has ended"),
    answers.is_cut: flight(firmware=[(8.5, "levelled out: no setpoint"), (10.0, "motors off and locked")]),
}
REFUSED = Flown(refusal="nobody offers /cf1/notify_setpoints_stop")


def test_every_fault_that_was_asked_for_is_declared() -> None:
    assert set(ASKED) <= set(FAULTS)
    for fault in FAULTS.values():
        ways = [fault.strike, fault.kill, fault.spoil, fault.swap, fault.disk_size]
        assert sum(bool(way) for way in ways) == 1, fault.name


@pytest.mark.parametrize("name", FAULTS)
def test_the_demanded_answer_holds_and_silence_does_not(name: str) -> None:
    fault = FAULTS[name]
    good = ANSWERED.get(fault.judge, REFUSED if fault.grounded else flight(0.5, "the battery, 2.9 V"))
    assert fault.judge(good) == ""
    assert fault.judge(Flown()) != ""
    crashed = flight(firmware=[(9.0, "crash: hit the floor at 4.0 m/s")])
    assert not _row(fault.name, crashed)["holds"]


def _row(name: str, seen: Flown) -> dict:
    track = Track(0, 0, phases=seen.phases, firmware=seen.firmware, setpoints=seen.setpoints,
                  struck=seen.struck, refusal=seen.refusal, swap=seen.swap)  # fmt: skip
    return row(FAULTS[name], track, SETTINGS, CONFIG, seen.log)


def test_each_law_alone_fails_a_row() -> None:
    assert _row("mocap_silent_0.2s", flight())["holds"]
    good = flight()
    gap = replace(good, setpoints=[r for r in good.setpoints if not 7.0 < r[0] < 7.3])
    nan = replace(good, setpoints=[*good.setpoints, (8.001, math.nan, *good.setpoints[0][2:])])
    away = replace(good, setpoints=[*good.setpoints, (8.001, 3.0, *good.setpoints[0][2:])])
    fast = replace(good, setpoints=[*good.setpoints, (8.001, 0.0, 0.0, 1.0, 9.0, *good.setpoints[0][5:])])
    for seen, word in ((gap, "state POLICY"), (nan, "not finite"), (away, "geofence"), (fast, "max_speed")):
        objections = _row("mocap_silent_0.2s", seen)["objections"]
        assert len(objections) == 1 and word in objections[0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(BEGAN, 11.0), max_size=60))
def test_the_longest_gap_counts_both_ends(times: list[float]) -> None:
    seen = flight(setpoints=[(t, *[0.0] * 10) for t in times])
    edges = sorted([BEGAN, 11.0, *times])
    assert seen.longest_gap == pytest.approx(max(b - a for a, b in zip(edges, edges[1:], strict=False)))
    assert flight().longest_gap <= 0.04 < LONGEST_GAP


def test_names_are_checked_and_speeds_fit() -> None:
    assert parse_faults("all") == tuple(FAULTS)
    assert parse_faults("mocap_nan, mocap_nan,disk_full") == ("mocap_nan", "disk_full")
    with pytest.raises(UnknownNameError, match="did you mean 'mocap_nan'"):
        parse_faults("mocap_nana")
    with pytest.raises(ConfigError, match="--speed max"):
        speed_of(FAULTS["tick_overrun_1x"], "max")
    flown = groups(list(FAULTS.values()), None)
    assert sum(map(len, flown)) == len(FAULTS)
    assert all(len(group) == 1 or all(f.strike for f in group) for group in flown)


def test_a_small_disk_is_small_and_the_process_s_own(tmp_path: Path) -> None:
    disk = launches(FAULTS["disk_full"], 0.1, tmp_path)["recorder"].disk
    assert disk is not None
    if not possible(disk):
        pytest.skip("neither root nor user namespaces: no small disk")
    code = "import os; s = os.statvfs('.'); print(s.f_blocks * s.f_frsize)"
    line = [sys.executable, "-S", "-c", code]
    told = subprocess.run(
        line, cwd="/", capture_output=True, text=True, check=True, preexec_fn=lambda: _on_disk(disk)
    )
    assert abs(int(told.stdout) - 1_000_000) < 10_000
    assert os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize > 10_000_000


def _on_disk(disk: Path) -> None:
    mount_small_disk(disk, 1_000_000)
    os.chdir(disk)


def _plan() -> Plan:
    zeros = torch.zeros(1, 6, 12)
    return Plan(zeros, torch.zeros(1, 5, 4), zeros, (), torch.zeros(1, dtype=torch.long))


def test_a_spoiled_policy_is_sound_until_it_is_told() -> None:
    class Sound:
        horizon = 5

        def __call__(self, *_: object, **__: object) -> tuple[Plan, str]:
            return _plan(), "state"

    policy = FaultyPolicy(Sound(), "solver_nan", 0.1)
    assert policy.horizon == 5 and torch.isfinite(policy(None, None)[0].x).all()
    policy.strike(0, None)
    plan, state = policy(None, None)
    assert torch.isnan(plan.x).all() and torch.isnan(plan.u).all() and state == "state"
    assert int(plan.status) == Status.NOT_FINITE.code
    assert int(spoiled(_plan(), "solver_not_converged").status) == Status.MAX_ITERATIONS.code
    with pytest.raises(ConfigError, match="no way"):
        FaultyPolicy(Sound(), "solver_slow", 0.1)


def test_wrong_bundles_are_wrong(tmp_path: Path) -> None:
    from deqmpc_core import load_policy

    for kind in ("corrupt", "other_task"):
        with pytest.raises(DeqmpcError):
            load_policy(wrong_bundle(kind, "crazyflie", tmp_path), task="crazyflie")
