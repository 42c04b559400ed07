"""Robot's status, operator's hand, emergency stop, reset, pre-flight list, a disturbed landing."""

from dataclasses import replace

import numpy as np
import pytest

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import (
    Commander,
    CommanderConfig,
    Emergency,
    Estimate,
    FlightPhase,
    FlightRequest,
    Land,
    NotifySetpointsStop,
    PoseSample,
    RobotStatus,
)
from deqmpc_core.flight.landing import Landing
from deqmpc_core.flight.preflight import Surroundings, checklist, objections
from deqmpc_core.flight.watch import RobotWatch
from tests.flight.robot import LEVEL, START, Robot, noise

GOOD = RobotStatus(4.0, 0, 2 | 8 | 16)
REQUEST = FlightRequest(START, 20, 0.1)
FLYING = (FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY)


def under_way(phase: FlightPhase, **change: object) -> Robot:
    quick = {"ready_time": 0.6, "takeoff_duration": 0.5, "goto_duration": 0.5, "settle_time": 0.0}
    robot = Robot(CommanderConfig(**{**quick, **change}))  # type: ignore[arg-type]
    robot.position = START * [1.0, 1.0, 0.0]
    robot.until(phase)
    robot.tick()
    return robot


@pytest.mark.parametrize("phase", [*FLYING, FlightPhase.LANDING])
@pytest.mark.parametrize(
    ("bit", "words"), [(0x20, "has tumbled"), (0x40, "is locked and needs a reboot"), (0x80, "has crashed")]
)
def test_a_robot_that_cannot_fly_is_cut_once_and_left(phase: FlightPhase, bit: int, words: str) -> None:
    robot = under_way(phase)
    robot.commander.on_status(replace(GOOD, supervisor=GOOD.supervisor | bit), robot.t)
    before = len(robot.sent)
    for _ in range(100):
        robot.tick()
    assert robot.commander.phase is FlightPhase.FAULT
    assert [command for _, command in robot.sent[before:]] == [Emergency()]
    assert robot.commander.reason == f"the robot says it {words}"


@pytest.mark.parametrize("phase", FLYING)
def test_lands_when_the_battery_is_low_for_a_while(phase: FlightPhase) -> None:
    robot = under_way(phase, battery_time=0.3)
    for volts, ticks in ((3.0, 10), (3.4, 1), (3.0, 10), (0.0, 1), (3.0, 10)):
        for _ in range(ticks):
            robot.commander.on_status(replace(GOOD, battery=volts), robot.t)
            robot.tick()
    assert robot.commander.phase is not FlightPhase.LANDING, (
        "sags under thrust, and is not measured now and then"
    )
    for _ in range(8):
        robot.commander.on_status(replace(GOOD, battery=3.0), robot.t)
        robot.tick()
    assert robot.commander.phase is FlightPhase.LANDING
    assert robot.commander.reason == "battery at 3.00 V (limit 3.10 V)"


@pytest.mark.parametrize("pm_state", [3, 4])
def test_lands_when_the_robot_says_its_power_is_low(pm_state: int) -> None:
    robot = under_way(FlightPhase.POLICY)
    robot.commander.on_status(replace(GOOD, pm_state=pm_state), robot.t)
    robot.tick()
    assert robot.commander.phase is FlightPhase.LANDING and f"pm_state {pm_state}" in robot.commander.reason


@pytest.mark.parametrize("phase", FLYING)
@pytest.mark.parametrize("silent", [False, True])
def test_a_released_deadman_lands(phase: FlightPhase, silent: bool) -> None:
    robot = Robot(CommanderConfig(deadman=True, ready_time=0.6, settle_time=0.0))
    robot.position = START * [1.0, 1.0, 0.0]
    while robot.commander.phase is not phase:
        robot.commander.on_deadman(True, robot.t)
        robot.tick()
    for _ in range(26):
        if not silent:
            robot.commander.on_deadman(False, robot.t)
        robot.tick()
    assert robot.commander.phase is FlightPhase.LANDING and "deadman" in robot.commander.reason


def test_an_emergency_stop_is_latched() -> None:
    robot = under_way(FlightPhase.POLICY)
    assert robot.commander.emergency("asked") == [Emergency()]
    assert robot.commander.phase is FlightPhase.FAULT and robot.commander.done
    with pytest.raises(ConfigError, match="reset"):
        robot.commander.start(REQUEST)
    robot.commander.reset()
    robot.commander.start(REQUEST)
    assert robot.commander.phase is FlightPhase.IDLE


def test_an_error_nobody_thought_of_hands_over_and_lands() -> None:
    robot = under_way(FlightPhase.POLICY)
    robot.tick()
    commands = robot.commander.abandon(robot.t, "internal error")
    assert [type(command) for command in commands] == [NotifySetpointsStop, Land]
    assert robot.commander.abandon(robot.t, "again") == [] and robot.commander.reason == "internal error"


def seen(height: float, sinking: float = 0.0) -> Estimate:
    zero = np.zeros(3)
    place, velocity = np.array([0.0, 0.0, height]), np.array([0.0, 0.0, -sinking])
    return Estimate(0.0, 0, place, LEVEL, velocity, zero, zero, 0.0)


def sends(landing: Landing, heights: list[tuple[float, float]], t: float) -> list[float]:
    """Times at which Land goes out; heights at 50 Hz from t on: (height, sinking speed)."""
    times = []
    for k, (height, sinking) in enumerate(heights):
        commands = landing.tick(t + k / 50, seen(height, sinking))
        assert not commands or [type(c) for c in commands] == [NotifySetpointsStop, Land]
        times += [round(k / 50, 2)] if commands else []
    return times


def test_a_landing_that_stops_on_the_way_is_asked_for_again() -> None:
    """A setpoint that comes late takes the priority back and erases the robot's landing: at 0.5 s the
    firmware would level out, at 2 s cut."""
    landing = Landing(CommanderConfig(), 0.0, seen(1.0), streamed=True)
    down = [(1.0 - 0.4 * k / 50, 0.4) for k in range(50)]
    stuck = [(0.6, 0.0)] * 60
    assert sends(landing, down + stuck, 0.0) == [0.0, 1.46, 1.96]


def test_a_fall_is_answered_at_once() -> None:
    """Land was lost after NotifySetpointsStop: the planner idles with the motors off."""
    landing = Landing(CommanderConfig(), 0.0, seen(1.0), streamed=True)
    fall = [(1.0 - 4.9 * (k / 50) ** 2, 9.8 * k / 50) for k in range(20)]
    assert sends(landing, fall, 0.0)[:2] == [0.0, 0.14]


def test_without_poses_land_is_repeated_only_while_the_robot_can_still_be_in_the_air() -> None:
    config = CommanderConfig()
    landing = Landing(config, 0.0, seen(1.0), streamed=True)
    times = [k / 50 for k in range(600) if landing.tick(k / 50, None)]
    assert len(times) == 7 and max(times) <= 1.0 / config.land_speed + config.land_period


def surroundings(**change: object) -> Surroundings:
    fine = Surroundings([], "/rigid_bodies", 1, 1, "/deqmpc/plan_request", "cf1", [])
    return replace(fine, **change)  # type: ignore[arg-type]


def ready(**change: object) -> Commander:
    commander = Commander(replace(CommanderConfig(require_status=True), **change))  # type: ignore[arg-type]
    for k in range(10):
        commander.on_pose(PoseSample(k / 100, k, np.array([0.0, 0.0, 0.02]) + noise(k), LEVEL), k / 100)
    commander.on_status(GOOD, 0.1)
    commander.on_deadman(True, 0.1)
    return commander


def test_the_preflight_list_is_empty_when_all_is_well() -> None:
    checks = checklist(ready(deadman=True), surroundings(), 0.1, REQUEST)
    assert objections(checks) == [] and len(checks) == 12
    assert str(checks[0]) == "request: ok"


OBJECTIONS = {
    "services": (surroundings(missing=["/cf1/land"]), "nobody offers /cf1/land"),
    "mocap": (surroundings(pose_senders=0), "nobody publishes /rigid_bodies"),
    "policy": (surroundings(policies=0), "nobody listens on /deqmpc/plan_request"),
}


@pytest.mark.parametrize(("around", "words"), OBJECTIONS.values(), ids=OBJECTIONS.keys())
def test_the_preflight_list_names_what_is_missing_around(around: Surroundings, words: str) -> None:
    found = objections(checklist(ready(), around, 0.1, REQUEST))
    assert len(found) == 1 and found[0].startswith(words)


STATES = {
    "status": (lambda c: c.on_status(replace(GOOD, supervisor=0x40), 0.1), "the robot says it is locked"),
    "battery": (
        lambda c: c.on_status(replace(GOOD, battery=3.6), 0.1),
        "battery at 3.60 V, a take-off needs",
    ),
    "deadman": (lambda c: c.on_deadman(False, 0.1), "the operator does not hold the deadman switch"),
    "fault": (lambda c: c.emergency("asked"), "cannot start (given up"),
}


@pytest.mark.parametrize(("spoil", "words"), STATES.values(), ids=STATES.keys())
def test_the_preflight_list_names_what_is_wrong_with_robot_and_operator(spoil, words: str) -> None:
    commander = ready(deadman=True)
    spoil(commander)
    found = objections(checklist(commander, surroundings(), 0.1, REQUEST))
    assert len(found) == 1 and found[0].startswith(words)
    assert objections(checklist(commander, surroundings(live=False), 0.1, REQUEST)) == []


def test_the_preflight_list_knows_old_poses_old_status_and_the_fence() -> None:
    found = objections(checklist(ready(), surroundings(in_view=["table"]), 5.0, REQUEST))
    assert "wanted 'cf1', in view: table" in found[0] and found[1].startswith("no status from the robot")
    outside = replace(REQUEST, start=np.array([1.7, 0.0, 1.0]))
    found = objections(checklist(ready(), surroundings(), 0.1, outside))
    assert "the start is beyond the inner geofence: at (1.70, 0.00, 1.00) m" in found[0]
    with pytest.raises(ConfigError, match="inner geofence"):
        ready().start(outside)
    slow = objections(checklist(ready(), surroundings(), 0.1, replace(REQUEST, policy_period=0.5)))
    assert "policy_period 0.50 s must be below plan_timeout" in slow[0]


def test_the_preflight_list_knows_a_robot_that_rests_too_high_to_be_seen_landing() -> None:
    commander = Commander()
    commander.on_pose(PoseSample(0.0, 0, np.array([0.0, 0.0, 0.12]), LEVEL), 0.0)
    [found] = objections(checklist(commander, surroundings(), 0.0, REQUEST))
    assert "the robot stands at z = 0.12 m, no landing there would be seen (landed_height 0.10 m)" in found


def test_poses_from_the_future_are_not_believed() -> None:
    commander = ready()
    assert not commander.on_pose(PoseSample(0.3, 20, np.zeros(3), LEVEL), 0.11)
    assert "from the future" in commander.pose_late(5.0)


def test_a_voltage_of_zero_was_not_measured() -> None:
    watch = RobotWatch(CommanderConfig(battery_time=0.0))
    watch.on_status(replace(GOOD, battery=0.0), 0.0)
    assert watch.flat() == watch.weak(1.0) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fence_inner_low": (0.0, 0.0)}, "fence_inner_low .* must be three numbers"),
        ({"fence_inner_low": (-31.0, 0.0, 0.0)}, r"fence_inner_low .* must be in \[-30.0, 30.0\]"),
        ({"fence_outer_low": (-1.0, -1.0, -1.0)}, "corners must rise"),
        ({"bad_plans": 0}, "bad_plans"),
    ],
)
def test_a_configuration_that_protects_nothing_is_refused(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CommanderConfig(**change)
