"""Faults of the outside: motion capture, bridge, battery, crash; and when they strike."""

import numpy as np
import pytest

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.flight import PoseSample
from deqmpc_sim.bridge import FROZEN_FRAMES, PoseBridge
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.firmware.battery import LOW_AFTER, Battery
from deqmpc_sim.strikes import KINDS, MOCAP, Strike
from deqmpc_sim.world import World

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
HOVER = np.full(4, 0.0785)


def frames(world: World, seconds: float) -> list:
    world.advance(round(world.time + seconds, 3))
    return world.take_frames()


def test_a_strike_waits_for_the_policy_and_ends(task) -> None:
    world = World(task)
    world.strike(Strike("mocap_wrong_body", after=0.2, duration=0.1))
    assert not any(frame.body for frame in frames(world, 0.5))
    world.begin_policy()
    seen = frames(world, 0.5)
    wrong = [round(f.stamp, 2) for f in seen if f.body]
    assert wrong == [round(0.70 + 0.01 * k, 2) for k in range(10)]
    assert len(seen) == 50 and world.take_poses() == []


def test_frames_out_of_order_keep_their_stamps_and_none_is_lost(task) -> None:
    world = World(task)
    world.strike(Strike("mocap_reordered", value=5.0))
    seen = frames(world, 1.0)
    stamps = [f.stamp for f in seen]
    assert stamps != sorted(stamps)
    assert all(f.stamp == pytest.approx(0.01 * (f.frame_number - 1)) for f in seen)
    assert set(range(1, 90)) <= {f.frame_number for f in seen}
    before = frames(World(task), 1.0)
    same = {f.frame_number: f.position for f in before}
    assert all((f.position == same[f.frame_number]).all() for f in seen if f.frame_number in same)


def test_a_clock_step_moves_stamps_and_nothing_else(task) -> None:
    world, clean = World(task), World(task)
    world.strike(Strike("clock_step", value=-5.0))
    moved, kept = frames(world, 0.5), frames(clean, 0.5)
    pairs = zip(moved[1:], kept[1:], strict=True)  # the first was captured before the strike
    assert all(a.stamp == b.stamp - 5.0 and (a.position == b.position).all() for a, b in pairs)


@pytest.mark.parametrize("wrong", [{"kind": "mocap_slow"}, {"kind": "mocap_nan", "duration": -1.0}])
def test_a_strike_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises((ConfigError, UnknownNameError)):
        Strike(**wrong)
    assert set(MOCAP) < set(KINDS)


def poses(bridge: PoseBridge, rows: list[tuple[float, float]]) -> list[bool]:
    """Whether each (time, x) passes."""
    return [bridge.passes(PoseSample(t, 0, np.array([x, 0.0, 1.0]), LEVEL), t) for t, x in rows]


def test_the_bridge_keeps_from_the_robot_what_cannot_be_true() -> None:
    flown = [(0.01 * k, 0.02 * k) for k in range(20)]
    assert all(poses(PoseBridge(), flown))
    jump = [*flown[:10], (0.10, 1.2), (0.11, 1.2), (0.12, 0.24)]
    assert poses(PoseBridge(), jump)[-3:] == [False, False, True]
    assert all(poses(PoseBridge(guarded=False), jump))
    frozen = [(0.01 * k, 0.5) for k in range(FROZEN_FRAMES + 5)]
    assert poses(PoseBridge(), frozen) == [True] * FROZEN_FRAMES + [False] * 5
    assert poses(PoseBridge(), [(0.0, np.nan), (0.01, 0.1)]) == [False, True]
    assert poses(PoseBridge(), [(0.0, 0.0), (0.1, 3.0), (0.7, 3.0)]) == [True, False, True]


def test_the_battery_hovers_some_minutes_and_then_tells_low_power() -> None:
    battery, minutes = Battery(250.0, 1.0), 0.0
    voltages = [battery.voltage]
    while battery.pm_state == 0 and minutes < 20.0:
        battery.drain(HOVER, 1.0)
        voltages.append(battery.voltage)
        minutes += 1.0 / 60.0
    assert 5.0 < minutes < 9.0 and battery.pm_state == 3
    assert all(a >= b for a, b in zip(voltages[1:], voltages[2:], strict=False))
    assert voltages[0] - voltages[1] > 0.2, "sags under load"
    fresh = Battery(250.0, 0.02)
    fresh.drain(HOVER, LOW_AFTER - 0.5)
    assert fresh.pm_state == 0, "not at once"


def test_a_flight_drains_the_battery(airborne) -> None:
    world = airborne(TruthConfig(battery_charge=0.5))
    assert 0.48 < world.drone.battery.charge < 0.5 and 3.4 < world.drone.battery_voltage < 3.8


def test_a_fall_is_a_crash_and_a_landing_is_none(airborne, flying, heard) -> None:
    landed, fallen = airborne(), airborne()
    landed.drone.land(0.0, 2.0)
    fallen.strike(Strike("emergency"))
    for world in (landed, fallen):
        flying(world, 3.0)
    assert landed.truth.floor_contact and not landed.crash.crashed
    assert fallen.crash.crashed and "crash: hit the floor at 4." in heard(fallen)
    assert fallen.drone.is_locked
