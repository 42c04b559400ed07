"""What is still sent in FAULT and what is not; take-offs that nobody answered; landings seen late."""

from dataclasses import replace

import numpy as np
import pytest

from deqmpc_core.flight import Arm, CommanderConfig, Emergency, FlightPhase, GoTo, Land, RobotStatus, Takeoff
from deqmpc_core.flight.landing import Landing
from tests.flight.robot import START, Robot
from tests.flight.test_supervisor import GOOD, seen, under_way

RESTING = RobotStatus(4.0, 0, 2 | 8)


def lands(robot: Robot, ticks: int) -> int:
    before = robot.count(Land)
    for _ in range(ticks):
        robot.tick()
    return robot.count(Land) - before


def overdue() -> Robot:
    """In FAULT because no landing was seen; it hovers."""
    robot = under_way(FlightPhase.POLICY, land_limit=2.0)
    robot.obeys_land = False
    robot.until(FlightPhase.FAULT)
    assert "no landing was seen" in robot.commander.reason
    return robot


def test_a_robot_that_is_up_in_fault_is_told_to_land_until_it_is_down() -> None:
    robot = overdue()
    assert lands(robot, 100) == 4, "each land_period"
    robot.obeys_land = True
    while robot.position[2] > 0.04:
        robot.tick()
    assert lands(robot, 100) == 0 and robot.commander.phase is FlightPhase.FAULT
    robot.position = robot.target = START
    assert lands(robot, 100) == 0, "it was seen to have landed: now a hand lifts it"


def test_no_landing_in_fault_when_the_robot_says_that_it_does_not_fly() -> None:
    robot = overdue()
    robot.commander.on_status(RESTING, robot.t)
    assert lands(robot, 100) == 0
    robot.commander.on_status(GOOD, robot.t)
    assert lands(robot, 100) > 0
    robot.poses = False
    for _ in range(300):
        robot.tick()
    assert lands(robot, 100) == 0, "blind for longer than a landing takes"


def test_stop_in_fault_sends_the_landing_again_and_the_fault_stays() -> None:
    robot = overdue()
    robot.poses = False
    for _ in range(300):
        robot.tick()
    assert robot.commander.insist() == "the landing is sent again"
    assert lands(robot, 1) == 1 and robot.commander.phase is FlightPhase.FAULT
    idle = Robot(CommanderConfig(first_pose_timeout=0.1))
    idle.poses = False
    idle.until(FlightPhase.FAULT)
    assert idle.commander.insist() == "nothing is left to send" and lands(idle, 50) == 0


def test_an_emergency_stop_is_sent_several_times_and_again_until_it_is_answered() -> None:
    robot = under_way(FlightPhase.POLICY)
    assert robot.commander.emergency("asked") == [Emergency()]
    times = [robot.t for _ in range(100) if robot.tick()]
    assert len(times) == 4 and np.allclose(np.diff(times), 0.1, atol=0.021), "the radio may lose it"
    for _ in range(3):
        robot.commander.on_service_failure(Emergency(), "no answer", robot.t, unanswered=True)
        assert sum(len(robot.tick()) for _ in range(20)) == 1
    assert robot.count(Land) == 0
    assert "not answered yet" in robot.commander.acknowledge()
    assert robot.commander.insist() == "the emergency stop is sent again"
    assert robot.tick() == [Emergency()]
    robot.commander.on_answer(Emergency())
    assert robot.commander.acknowledge() == "" and robot.commander.phase is FlightPhase.IDLE


def test_a_robot_that_says_it_is_locked_confirms_the_cut() -> None:
    robot = under_way(FlightPhase.POLICY)
    robot.commander.emergency("asked")
    robot.commander.on_answer(Emergency())
    assert robot.commander.acknowledge(), "a reset would end the repeats"
    robot.commander.on_status(replace(GOOD, supervisor=0x40), robot.t)
    assert robot.commander.acknowledge() == ""


@pytest.mark.parametrize("command", [Arm(), Takeoff(0.5, 2.0)])
def test_a_take_off_that_nobody_answered_lands_once_it_has_risen(command: Arm | Takeoff) -> None:
    robot = Robot(CommanderConfig(ready_time=0.6))
    robot.until(FlightPhase.TAKEOFF)
    robot.position = robot.target = np.zeros(3)
    robot.commander.on_service_failure(command, "no answer within 1.0 s", robot.t, unanswered=True)
    for _ in range(100):
        robot.tick()
    assert robot.commander.phase is FlightPhase.TAKEOFF and robot.count(Land) == 0, "it may yet be taken"
    robot.target = np.array([0.0, 0.0, 0.5])
    robot.until(FlightPhase.LANDED)
    assert "nobody knows whether the robot took" in robot.commander.reason and robot.count(GoTo) == 0


def test_a_refused_take_off_is_given_up_and_a_carried_robot_is_not_told_to_land() -> None:
    robot = Robot(CommanderConfig(ready_time=0.6))
    robot.until(FlightPhase.TAKEOFF)
    robot.position = robot.target = np.zeros(3)
    robot.commander.on_service_failure(Takeoff(0.5, 2.0), "nobody offers the service", robot.t)
    assert robot.commander.phase is FlightPhase.FAULT and lands(robot, 50) == 0
    robot.position = robot.target = START
    assert lands(robot, 50) == 0


def test_height_counts_from_where_the_robot_rested() -> None:
    """A body whose origin is high reads 0.13 m where the floor is a little higher than at the start."""
    config = CommanderConfig()
    for floor, landed in ((0.08, True), (0.0, False)):
        landing = Landing(config, 0.0, seen(1.0), streamed=True, floor=floor)
        for k in range(200):
            landing.tick(k / 50, seen(max(0.13, 1.0 - 0.4 * k / 50), 0.0 if k > 110 else 0.4))
        assert landing.landed(4.0) is landed


def test_a_robot_still_near_the_floor_is_told_no_more() -> None:
    landing = Landing(CommanderConfig(), 0.0, seen(0.4), streamed=False)
    end, rest = 1.5, [(0.13 + 0.001 * (k % 2), 0.0) for k in range(300)]
    times = [k / 50 for k, (z, v) in enumerate(rest) if landing.tick(k / 50, seen(z, v))]
    assert end < max(times) < end + 1.1
    assert not landing.tick(9.0, seen(0.5)), "a hand lifts it"
    up = Landing(CommanderConfig(), 0.0, seen(0.4), streamed=False)
    times = [k / 50 for k in range(400) if up.tick(k / 50, seen(0.4))]
    assert max(times) > 7.4, "as still, but this high it may hover"
