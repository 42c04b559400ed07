"""The commander's phases, every reason to land, the hand-over, and the promise that no setpoint follows
it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import (
    Arm,
    Commander,
    CommanderConfig,
    FlightPhase,
    FlightRequest,
    GoTo,
    Land,
    NotifySetpointsStop,
    PoseSample,
    SendSetpoint,
    Takeoff,
)
from tests.flight.robot import LEVEL, START, Robot, noise, packet_at


def test_a_whole_flight() -> None:
    robot = Robot()
    robot.until(FlightPhase.POLICY)
    began = robot.commander.policy_began
    robot.until(FlightPhase.LANDED)
    assert robot.kinds() == ["Arm", "Takeoff", "GoTo", "SendSetpoint", "NotifySetpointsStop", "Land"]
    assert robot.commander.done and "has flown its 2.0 s" in robot.commander.reason
    streamed = [t for t, command in robot.sent if isinstance(command, SendSetpoint)]
    assert began is not None
    assert np.allclose(streamed, began + 0.02 * np.arange(1, 100)), (
        "never silent from the first plan to the hand-over"
    )
    handed = [(t, type(c)) for t, c in robot.sent if t > streamed[-1]]
    assert handed[:2] == [(handed[0][0], NotifySetpointsStop), (handed[0][0], Land)], (
        "in one tick and in this order"
    )
    assert handed[0][0] == pytest.approx(began + 2.0)
    assert robot.count(Land) == 1, "the robot descended, so once is enough"


def test_asks_for_a_plan_each_period_from_the_entry_on() -> None:
    robot = Robot(steps=3)
    robot.plans = False
    robot.until(FlightPhase.POLICY)
    commander = robot.commander
    began = commander.policy_began
    assert began is not None
    assert began == pytest.approx(robot.t - 0.02) and commander.wants_plan(began), (
        "the entry tick wants its plan after the tick"
    )
    assert commander.plan is None
    asked = []
    for k in range(40):
        t = began + 0.02 * k
        robot.commander.on_pose(PoseSample(t, 10_000 + k, START + noise(k), LEVEL), t)
        if commander.wants_plan(t):
            asked.append(k)
            assert commander.on_plan(packet_at(t), t)
            assert not commander.wants_plan(t)
        commander.tick(t)
    assert asked == [0, 5, 10]
    assert commander.phase is FlightPhase.LANDING


def test_hovers_at_the_start_until_the_first_plan() -> None:
    robot = Robot(CommanderConfig(first_plan_timeout=1.0))
    robot.plans = False
    robot.until(FlightPhase.LANDING)
    assert "no usable plan for 1.02 s (limit 1.00 s)" in robot.commander.reason
    sent = [(t, c.setpoint) for t, c in robot.sent if isinstance(c, SendSetpoint)]
    assert len(sent) == 50 and np.max(np.diff([t for t, _ in sent])) < 0.021
    for _, setpoint in sent:
        assert np.linalg.norm(setpoint.position - START) < 0.05, "where it settled, to the start"
        assert np.linalg.norm(setpoint.velocity) < 0.1 and not setpoint.acceleration.any()
    assert [type(c) for _, c in robot.sent[-2:]] == [NotifySetpointsStop, Land]


def stop_plans(robot: Robot) -> None:
    robot.plans = False


def stop_poses(robot: Robot) -> None:
    robot.poses = False


def operator(robot: Robot) -> None:
    robot.commander.stop("the operator asked to land")


def refuse_go_to(robot: Robot) -> None:
    robot.commander.on_service_failure(GoTo(START, 0.0, 1.0), "no answer within 1 s", robot.t)


FLYING = (FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY)
REASONS = [
    *[(phase, stop_poses, "no usable pose for 0.51 s (limit 0.50 s)") for phase in FLYING],
    *[(phase, operator, "the operator asked to land") for phase in FLYING],
    (FlightPhase.GOTO, refuse_go_to, "the robot refused GoTo: no answer within 1 s"),
    (FlightPhase.POLICY, stop_plans, "no usable plan for 0.52 s (limit 0.50 s)"),
]


@pytest.mark.parametrize(("phase", "trouble", "reason"), REASONS)
def test_lands_and_says_why(phase: FlightPhase, trouble: Callable[[Robot], None], reason: str) -> None:
    robot = Robot()
    robot.until(phase)
    robot.tick()
    streaming = robot.count(SendSetpoint) > 0
    trouble(robot)
    robot.until(FlightPhase.LANDING)
    assert robot.commander.reason.startswith(reason)
    before = robot.count(SendSetpoint)
    robot.poses = robot.plans = True
    robot.until(FlightPhase.LANDED)
    assert robot.count(SendSetpoint) == before
    assert robot.count(NotifySetpointsStop) == int(streaming)
    assert robot.commander.reason.startswith(reason)


def test_lands_when_takeoff_or_start_is_out_of_reach() -> None:
    robot = Robot()
    robot._obey = lambda command: None  # type: ignore[method-assign]
    robot.until(FlightPhase.LANDING)
    assert robot.commander.reason == "take-off did not reach 0.50 m: the robot is at 0.00 m"
    robot = Robot()
    robot.until(FlightPhase.GOTO)
    robot.target = START - [0.2, 0.0, 0.0]
    robot.until(FlightPhase.LANDING)
    assert robot.commander.reason.startswith(
        "the robot did not settle at the start within 10.0 s: 0.20 m away"
    )


def test_land_is_repeated_until_the_robot_descends() -> None:
    robot = Robot()
    robot.until(FlightPhase.POLICY)
    robot.obeys_land = False
    robot.until(FlightPhase.LANDING)
    for _ in range(120):
        robot.tick()
    times = [t for t, command in robot.sent if isinstance(command, Land)]
    assert len(times) == 5 and np.allclose(np.diff(times), 0.5)
    robot.obeys_land = True
    robot.until(FlightPhase.LANDED)
    assert robot.count(Land) == robot.count(NotifySetpointsStop) == 6


def test_refused_hand_over_is_tried_again() -> None:
    robot = Robot()
    robot.obeys_land = False
    robot.until(FlightPhase.LANDING)
    robot.commander.on_service_failure(NotifySetpointsStop(), "lost", robot.t)
    for _ in range(10):
        robot.tick()
    assert robot.count(NotifySetpointsStop) == robot.count(Land) == 2
    assert isinstance(robot.sent[-2][1], NotifySetpointsStop) and robot.sent[-1][0] == robot.sent[-2][0]


def test_faults_are_latched() -> None:
    robot = Robot(CommanderConfig(first_pose_timeout=1.0))
    robot.poses = False
    robot.until(FlightPhase.FAULT)
    assert "no usable pose within 1.0 s of the request" in robot.commander.reason and robot.sent == []
    robot.poses = True
    assert robot.tick() == [] and robot.commander.done
    with pytest.raises(ConfigError, match="reset"):
        robot.commander.start(FlightRequest(START, 1, 0.1))
    robot.commander.reset()
    robot.commander.start(FlightRequest(START, 1, 0.1))
    robot.until(FlightPhase.TAKEOFF)
    assert [type(command) for _, command in robot.sent] == [Arm, Takeoff]
    robot.commander.on_service_failure(Takeoff(0.5, 2.0), "no such service", robot.t)
    assert (
        robot.commander.phase is FlightPhase.FAULT
        and "refused Takeoff: no such service" in robot.commander.reason
    )


def test_waits_until_poses_have_come_for_a_while() -> None:
    """The robot's own estimate needs them: a take-off with the first pose tumbles."""
    robot = Robot(CommanderConfig(ready_time=1.0, pose_timeout=0.1))
    for k in range(200):
        robot.poses = not 30 <= k < 45
        robot.tick()
    assert robot.sent[0][0] == pytest.approx(45 / 50 + 1.0)


def test_gives_up_when_no_landing_is_seen() -> None:
    robot = Robot()
    robot.until(FlightPhase.POLICY)
    robot.poses = robot.obeys_land = False
    robot.until(FlightPhase.FAULT)
    assert (
        "no usable pose" in robot.commander.reason
        and "no landing was seen within 12.0 s" in robot.commander.reason
    )


def test_ignores_plans_that_cannot_be_flown() -> None:
    robot = Robot()
    assert not robot.commander.on_plan(packet_at(0.0), 0.0), "not in POLICY"
    robot.until(FlightPhase.POLICY)
    for _ in range(10):
        robot.tick()
    t, flown = robot.t, robot.commander.plan
    assert flown is not None
    nan = replace(packet_at(t), x_world=np.full((6, 3), np.nan))
    for packet in (nan, packet_at(flown.stamp), packet_at(flown.stamp - 1.0), packet_at(t + 10.0)):
        assert not robot.commander.on_plan(packet, t)
    assert robot.commander.plan is flown


BAD_REQUESTS = [
    FlightRequest(np.array([0.0, 0.0, -1.0]), 5, 0.1),
    FlightRequest(np.full(3, np.nan), 5, 0.1),
    FlightRequest(np.zeros(2), 5, 0.1),
    FlightRequest(START, 0, 0.1),
    FlightRequest(START, 5, 0.0),
]


@pytest.mark.parametrize("request_", BAD_REQUESTS)
def test_refuses_requests_that_cannot_be_flown(request_: FlightRequest) -> None:
    with pytest.raises(ConfigError):
        Commander().start(request_)


def test_configuration_names_the_field_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"pose_timeout .* must be in \[0.02, 5.0\], got -1"):
        CommanderConfig(pose_timeout=-1.0)


wild = st.floats(allow_nan=True, allow_infinity=True)
events = st.one_of(
    st.just(("tick",)), st.just(("tick",)), st.just(("tick",)), st.just(("good plan",)),
    st.tuples(st.just("plan"), wild, wild, wild),
    st.tuples(st.just("pose"), wild, wild, wild),
    st.tuples(st.just("skip"), st.floats(0.0, 1.0)),
    st.just(("stop",)), st.just(("refuse",)),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(FLYING)), st.lists(events, max_size=40))
def test_whatever_comes_no_unsafe_and_no_late_setpoint(phase: FlightPhase, stream: list[tuple]) -> None:
    robot = Robot(
        CommanderConfig(
            ready_time=0.6, takeoff_duration=0.5, goto_duration=0.5, goto_speed=2.0, settle_time=0.0
        )
    )
    robot.position = START * [0.9, 1.0, 0.0]
    robot.until(phase)
    robot.plans = False
    for event in stream:
        _happen(robot, event)
        robot.tick()
    stopped = False
    for _, command in robot.sent:
        stopped = stopped or isinstance(command, NotifySetpointsStop | Land)
        if isinstance(command, SendSetpoint):
            assert not stopped, "a setpoint after the hand-over"
            s = command.setpoint
            assert s.is_finite() and np.abs([*s.position, *s.velocity, *s.acceleration]).max() <= 32.767
        if isinstance(command, Land):
            assert np.isfinite(command.duration) and command.duration > 0.5


def _happen(robot: Robot, event: tuple) -> None:
    commander, t = robot.commander, robot.t
    match event:
        case ("good plan",):
            commander.on_plan(packet_at(t), t)
        case ("plan", stamp, place, speed):
            plan = packet_at(t if abs(stamp) < 1.0 else stamp, np.full(3, place))
            commander.on_plan(replace(plan, velocity_world=np.full((6, 3), speed)), t)
        case ("pose", stamp, place, attitude):
            sample = PoseSample(
                t - 0.005 if abs(stamp) < 1.0 else stamp, 0, np.full(3, place), attitude * LEVEL
            )
            commander.on_pose(sample, t)
        case ("skip", seconds):
            robot.ticks += round(50 * seconds)
        case ("stop",):
            commander.stop("asked")
        case ("refuse",):
            commander.on_service_failure(Land(0.0, 1.0), "no answer", t)
