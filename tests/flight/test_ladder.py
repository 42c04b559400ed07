"""Each rung of the safety ladder: what is flown, held or landed on, when; the stream never falls silent."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deqmpc_core.flight import (
    CommanderConfig,
    FlightPhase,
    Land,
    NotifySetpointsStop,
    PlanPacket,
    SendSetpoint,
)
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.hold import Hold
from deqmpc_core.flight.obstacle_set import ObstacleSet
from deqmpc_core.flight.setpoint_guard import SetpointGuard
from deqmpc_core.flight.trajectory import WIRE_LIMIT, Setpoint
from tests.flight.robot import START, Robot, packet_at

QUICK = {
    "ready_time": 0.6,
    "takeoff_duration": 0.5,
    "goto_duration": 0.5,
    "goto_speed": 2.0,
    "settle_time": 0.0,
}
SPEED = np.array([-0.5, 0.0, 0.0])


def moving(t: float, speed: np.ndarray = SPEED, place: np.ndarray = START, knots: int = 7) -> PlanPacket:
    """A plan from `place` at constant velocity."""
    x = np.asarray(place + 0.1 * np.arange(knots)[:, None] * speed, dtype=np.float64)
    rest = np.zeros((knots, 3))
    return PlanPacket(t, 0.1, x, np.tile(speed, (knots, 1)), rest, np.zeros(knots), 0, 0, 0)


class Flown(Robot):
    """A robot in POLICY that is exactly at its setpoint; `plans_of` makes its plans, `sees` its poses."""

    def __init__(self, config: CommanderConfig | None = None, steps: int = 60) -> None:
        super().__init__(config, steps)
        self.position = START * [1.0, 1.0, 0.0]
        self.until(FlightPhase.POLICY)
        self.maker: Callable[[float, np.ndarray], PlanPacket] = packet_at
        self.setpoints: list[tuple[float, Setpoint]] = []

    def _plan(self, t: float) -> None:
        if self.plans and self.commander.wants_plan(t):
            maker = getattr(self, "maker", packet_at)
            self.commander.on_plan(maker(t, self.position.copy()), t)

    def fly(self, ticks: int) -> None:
        for _ in range(ticks):
            if self.commander.phase is not FlightPhase.POLICY:
                return
            for command in self.tick():
                if isinstance(command, SendSetpoint):
                    self.position = self.target = command.setpoint.position
                    self.setpoints.append((self.t - 0.02, command.setpoint))

    def gap(self) -> float:
        return float(np.max(np.diff([t for t, _ in self.setpoints])))


def along(t: float, place: np.ndarray) -> PlanPacket:
    return moving(t, place=place)


def flying(**change: object) -> Flown:
    """Under way at half a metre a second."""
    robot = Flown(replace(CommanderConfig(), **{**QUICK, **change}))  # type: ignore[arg-type]
    robot.maker = along
    robot.fly(20)
    assert robot.commander.reason == ""
    return robot


def no_poses(robot: Flown) -> None:
    robot.poses = False


def no_plans(robot: Flown) -> None:
    robot.plans = False


def nan_plans(robot: Flown) -> None:
    robot.maker = lambda t, place: replace(along(t, place), yaw=np.full(7, np.nan))


def violating_plans(robot: Flown) -> None:
    robot.maker = lambda t, place: replace(along(t, place), violation=1.0)


def plans_from_elsewhere(robot: Flown) -> None:
    robot.maker = lambda t, place: moving(t, place=place + 1.0)


# trouble; until when [s] the plan goes on and until when it is held; words of the hold and of the landing
LATE = [
    (no_poses, 0.2, 0.5, "no usable pose", "no usable pose for 0.51 s (limit 0.50 s)"),
    (no_plans, 0.2, 0.5, "no usable plan", "no usable plan for 0.5"),
    (nan_plans, 0.2, 0.5, "no usable plan", "the last one was refused: it holds NaN or infinity"),
    (plans_from_elsewhere, 0.2, 0.5, "no usable plan", "m from the robot (limit 0.60 m)"),
    (violating_plans, 0.4, 0.7, "no usable plan", "constraint violation 1 (limit 0.05)"),
]


@pytest.mark.parametrize(("trouble", "shifted", "held", "why", "landing"), LATE)
def test_shifted_then_held_then_landed(
    trouble: Callable[[Flown], None], shifted: float, held: float, why: str, landing: str
) -> None:
    robot = flying()
    while robot.commander.plan is None or robot.commander.plan.stamp < robot.t - 0.001:
        robot.fly(1)  # until a plan of this very tick is flown
        if robot.commander.plan is not None and robot.t - 0.02 - robot.commander.plan.stamp < 0.001:
            break
    began = robot.t - 0.02
    trouble(robot)
    robot.fly(60)
    assert robot.commander.phase is FlightPhase.LANDING and landing in robot.commander.reason
    after = {round(t - began, 3): s for t, s in robot.setpoints if t > began + 0.001}
    speeds = {t: float(np.linalg.norm(s.velocity)) for t, s in after.items()}
    assert all(v == pytest.approx(0.5) for t, v in speeds.items() if t < shifted - 0.011), "the plan goes on"
    assert all(v == 0.0 for t, v in speeds.items() if t > shifted + CommanderConfig().hold_braking + 0.03)
    assert max(speeds) == pytest.approx(held, abs=0.021), "held to the end"
    slowing = [v for t, v in speeds.items() if t > shifted + 0.001]
    assert np.all(np.diff(slowing) <= 1e-9) and slowing[-1] < 0.5
    assert robot.gap() == pytest.approx(0.02), "never silent"
    names = [type(command) for _, command in robot.sent[-2:]]
    assert names == [NotifySetpointsStop, Land], "in one tick"


def test_says_that_it_holds_and_flies_on_when_the_trouble_is_over() -> None:
    robot = flying()
    robot.poses = False
    robot.fly(15)
    assert robot.commander.phase is FlightPhase.POLICY
    assert robot.commander.reason == robot.commander.holding != ""
    assert robot.commander.reason.startswith("holding: no usable pose for 0.21 s (limit 0.20 s)")
    robot.poses = True
    robot.fly(15)
    assert robot.commander.reason == "" and np.allclose(robot.setpoints[-1][1].velocity, SPEED)


def test_two_bad_plans_in_a_row_are_flown_the_third_is_not() -> None:
    robot = flying()
    stamps = []
    for violation in (1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.01):
        while not robot.commander.wants_plan(robot.t):
            robot.fly(1)
        plan = replace(along(robot.t, robot.position), violation=violation)
        robot.maker = lambda t, place, plan=plan: plan
        robot.fly(1)
        stamps.append(robot.commander.plan is plan)
    assert stamps == [True, True, True, True, True, False, False, True]


def spheres(center: np.ndarray, radius: float) -> ObstacleSet:
    return ObstacleSet(center[None], np.zeros((1, 3)), np.array([radius]), 0.0)


def test_plans_into_a_known_obstacle_are_bad_plans() -> None:
    robot = flying()
    ahead = robot.position + 0.6 * SPEED
    robot.commander.set_obstacles(spheres(ahead, 0.1))
    robot.fly(60)
    assert robot.commander.phase is FlightPhase.LANDING
    assert "m from an obstacle's surface (limit 0.00 m)" in robot.commander.reason
    robot = flying()
    robot.commander.set_obstacles(spheres(np.array([0.0, 1.0, 1.0]), 0.2))
    robot.fly(60)
    assert robot.commander.phase is FlightPhase.POLICY


def test_a_plan_deep_in_an_obstacle_is_bad_whatever_the_margin() -> None:
    """The solver's violation of a sphere of 0.1 m is at most 0.01 m^2: the limit is held against metres."""
    robot = flying(obstacle_margin=-10.0)
    robot.commander.set_obstacles(spheres(robot.position + 0.6 * SPEED, 0.1))
    robot.fly(60)
    assert robot.commander.phase is FlightPhase.LANDING
    assert "m inside an obstacle (limit 0.05 m)" in robot.commander.reason


def test_plans_from_poses_that_are_too_old_are_not_flown() -> None:
    """The policy has lost motion capture, the commander has not: plans stamped now tell of an old frame."""
    robot = flying()
    robot.maker = lambda t, place: replace(along(t, place), frame_number=robot.ticks - 1)
    robot.fly(20)
    assert robot.commander.phase is FlightPhase.POLICY and not robot.commander.holding
    frame = robot.ticks - 1
    robot.maker = lambda t, place: replace(along(t, place), frame_number=frame)
    began = robot.t
    robot.fly(60)
    assert robot.commander.phase is FlightPhase.LANDING and robot.t - began < 0.8
    assert "it was made from a pose 0.6" in robot.commander.reason


def test_setpoints_stop_before_the_inner_fence_and_the_robot_waits_there() -> None:
    """The plans go on through the fence; a hold that is not left by itself ends in a landing."""
    robot = flying(fence_inner_low=(0.5, -1.6, 0.1))
    robot.fly(100)
    assert robot.commander.holding.startswith("holding: the plan's next stop is beyond the inner geofence")
    assert all(s.position[0] >= 0.5 for _, s in robot.setpoints)
    assert robot.setpoints[-1][1].position[0] < 0.56 and not robot.setpoints[-1][1].velocity.any()
    robot.fly(200)
    assert robot.commander.phase is FlightPhase.LANDING and "held for 3.0 s" in robot.commander.reason


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_robot_beyond_the_inner_fence_is_called_back_beyond_the_outer_it_lands(axis: int) -> None:
    robot = flying()
    high = np.array(CommanderConfig().fence_inner_high)
    step = np.zeros(3)
    step[axis] = 0.01
    while robot.commander.phase is FlightPhase.POLICY and robot.ticks < 5000:
        before = robot.position.copy()
        robot.fly(1)
        robot.position = before + step  # a gust carries it off
    assert "the robot left the geofence: at" in robot.commander.reason
    away = [s for _, s in robot.setpoints if s.position[axis] >= high[axis] - 0.05]
    assert all(np.all(s.position <= high) for _, s in robot.setpoints) and (axis == 0 or away)


def test_a_plan_beyond_the_outer_fence_lands() -> None:
    robot = flying(plan_reach=5.0)
    robot.maker = lambda t, place: moving(t, place=np.array([1.0, 1.9, 1.0]))
    robot.fly(20)
    assert robot.commander.reason == "the plan left the geofence: at (1.00, 1.90, 1.00) m"


wild = st.floats(allow_nan=True, allow_infinity=True)
vectors = arrays(float, 3, elements=wild)


@settings(max_examples=60)
@given(st.lists(st.tuples(vectors, vectors, vectors, wild, st.floats(0.0, 0.5)), min_size=1, max_size=20))
def test_nothing_unsafe_passes_the_guard(wanted: list) -> None:
    config = CommanderConfig()
    fence = Fence(config)
    t, start = 0.0, Setpoint(START, np.zeros(3), np.zeros(3), 0.0)
    guard = SetpointGuard(config, fence, start, t)
    for position, velocity, acceleration, yaw, dt in wanted:
        before, t = guard.last, t + dt
        sent = guard.admit(Setpoint(position, velocity, acceleration, yaw), t)
        assert sent.is_finite() and fence.inner.holds(sent.position)
        assert np.linalg.norm(sent.velocity) <= config.max_speed + 1e-9
        assert np.linalg.norm(sent.acceleration) <= config.max_acceleration + 1e-9
        assert np.abs([*sent.position, *sent.velocity, *sent.acceleration]).max() <= WIRE_LIMIT
        step = min(dt, 0.1) + 1e-9
        assert np.linalg.norm(sent.position - before.position) <= config.slew_position * step
        assert np.linalg.norm(sent.velocity - before.velocity) <= config.slew_velocity * step
        assert np.linalg.norm(sent.acceleration - before.acceleration) <= config.slew_acceleration * step
        turn = np.angle(np.exp(1j * (sent.yaw - before.yaw)))
        assert abs(turn) <= config.slew_yaw * step


def test_the_guard_reaches_what_is_allowed() -> None:
    config = CommanderConfig()
    guard = SetpointGuard(config, Fence(config), Setpoint(START, np.zeros(3), np.zeros(3), 3.0), 0.0)
    wanted = Setpoint(START - 0.5, np.array([0.5, 0.0, 0.0]), np.array([0.0, 2.0, 0.0]), -3.0)
    for k in range(1, 40):
        sent = guard.admit(wanted, 0.02 * k)
    assert np.allclose(sent.position, wanted.position) and np.array_equal(sent.velocity, wanted.velocity)
    assert sent.yaw == pytest.approx(-3.0)


@given(arrays(float, (3, 7, 3), elements=st.floats(-1.0, 1.0)), st.floats(0.05, 0.5), st.floats(0.0, 0.2))
def test_a_hold_stays_on_the_path_and_its_velocity_is_the_slope(
    knots: np.ndarray, braking: float, t: float
) -> None:
    plan = PlanPacket(0.0, 0.1, knots[0], knots[1], knots[2], np.zeros(7), 0, 0, 0)
    hold = Hold(plan, t, braking)
    assert np.array_equal(hold.setpoint(t).position, plan.sample(t).position)
    assert np.allclose(hold.setpoint(t).velocity, plan.sample(t).velocity)
    end = hold.setpoint(t + braking)
    assert np.allclose(end.position, plan.sample(hold.stop).position) and not end.velocity.any()
    assert np.allclose(hold.setpoint(t + 10.0).position, end.position)
    s, d = t + 0.4 * braking, 1e-6
    way = (hold.setpoint(s + d).position - hold.setpoint(s - d).position) / (2 * d)
    plan_time = t + 0.4 * braking * 0.8
    slope = (plan.sample(plan_time + d).position - plan.sample(plan_time - d).position) / (2 * d)
    assert np.allclose(way, 0.6 * slope, atol=1e-3)
