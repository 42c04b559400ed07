"""The robot's own estimate against motion capture, and the stance: before a take-off and in flight."""

from dataclasses import replace

import numpy as np
import pytest

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Commander, CommanderConfig, FlightPhase, PoseSample
from deqmpc_core.flight.frames import Array, quaternion_from_yaw
from deqmpc_core.flight.obstacle_set import NOTHING
from deqmpc_core.flight.preflight import checklist, objections
from tests.flight.robot import LEVEL, Robot, noise
from tests.flight.test_supervisor import GOOD, REQUEST, surroundings, under_way

FLOOR = np.array([0.0, 0.0, 0.02])
LEANING = np.array([np.sin(0.15), 0.0, 0.0, np.cos(0.15)])


def standing(
    turn: Array = LEVEL, speed: float = 0.0, height: float = 0.02, delay: float = 0.0, **change: object
) -> Commander:
    """A commander that has seen the robot stand at FLOOR until 0.1 s."""
    asked = CommanderConfig(require_own_pose=True, require_obstacles=True)
    commander = Commander(replace(asked, **change))  # type: ignore[arg-type]
    for k in range(31):
        t = 0.1 + (k - 30) / 100
        place = np.array([0.0, speed * t, height]) + noise(k)
        commander.on_pose(PoseSample(t - delay, k, place, turn), t)
    commander.on_status(GOOD, 0.1)
    return commander


def told(commander: Commander) -> list[str]:
    return objections(checklist(commander, surroundings(), 0.1, REQUEST))


def test_a_robot_that_agrees_stands_and_knows_its_obstacles_may_start() -> None:
    commander = standing()
    assert ["own pose is not heard" in told(commander)[0], len(told(commander))] == [True, 2]
    assert "has not told its set of obstacles" in told(commander)[1]
    commander.set_obstacles(NOTHING)
    commander.own.on_pose(FLOOR + 0.05, quaternion_from_yaw(0.1), commander.estimate(0.1), 0.1)
    assert told(commander) == []
    late = objections(checklist(commander, surroundings(), 1.3, REQUEST))
    assert any("own pose is not heard" in sentence for sentence in late)


@pytest.mark.parametrize(
    ("place", "turn", "words"),
    [
        (FLOOR + [0.0, 0.2, 0.0], LEVEL, "0.20 m from motion capture's (limit 0.10 m)"),
        (FLOOR, quaternion_from_yaw(0.3), "0.30 rad from motion capture's"),
        (FLOOR * np.nan, LEVEL, "is not heard"),
        (FLOOR, 0.0 * LEVEL, "is not heard"),
    ],
)
def test_a_robot_that_motion_capture_does_not_reach_stays_on_the_ground(place, turn, words: str) -> None:
    commander = standing(require_obstacles=False)
    commander.own.on_pose(place, turn, commander.estimate(0.1), 0.1)
    assert len(told(commander)) == 1 and words in told(commander)[0]
    relaxed = standing(require_obstacles=False, require_own_pose=False)
    assert told(relaxed) == [], "a link without the topic is not blocked"


@pytest.mark.parametrize(
    ("commander", "words"),
    [
        (lambda **c: standing(turn=LEANING, **c), "leans by 0.30 rad"),
        (lambda **c: standing(speed=0.6, **c), "moves at 0."),
        (lambda **c: standing(height=0.5, **c), "stands at z = 0.50 m"),
        (lambda **c: standing(delay=0.15, **c), "poses are 0.15 s old when they come"),
    ],
    ids=["tilt", "speed", "table", "clock"],
)
def test_a_robot_must_stand_level_and_still_on_the_floor_and_be_seen_in_time(commander, words: str) -> None:
    found = told(commander(require_own_pose=False, require_obstacles=False))
    assert len(found) == 1 and words in found[0], found


@pytest.mark.parametrize("phase", [FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY])
def test_a_robot_that_loses_motion_capture_in_flight_lands(phase: FlightPhase) -> None:
    robot = under_way(phase)

    def says(off: float, ticks: int) -> FlightPhase:
        for _ in range(ticks):
            place = robot.position + [off, 0.0, 0.0]
            robot.commander.own.on_pose(place, LEVEL, robot.commander.estimate(robot.t), robot.t)
            for _ in range(5):
                robot.tick()
        return robot.commander.phase

    assert says(0.7, 1) is phase, "one message is none"
    robot.commander.own.on_pose(robot.position, LEVEL, robot.commander.estimate(robot.t), robot.t)
    assert says(0.7, 6) is FlightPhase.LANDING
    assert "own pose has been 0.70 m from motion capture's" in robot.commander.reason


def test_silence_of_the_own_pose_ends_no_flight() -> None:
    robot = under_way(FlightPhase.POLICY)
    far = robot.position + [0.7, 0.0, 0.0]
    robot.commander.own.on_pose(far, LEVEL, robot.commander.estimate(robot.t), robot.t)
    for _ in range(60):
        robot.tick()
    assert robot.commander.phase is FlightPhase.POLICY


def test_a_single_pose_is_not_enough_for_a_take_off() -> None:
    with pytest.raises(ConfigError, match="ready_time .* longer than pose_timeout .* raise ready_time"):
        Robot(CommanderConfig(ready_time=0.5, pose_timeout=0.5))


def test_what_the_robot_said_before_the_flight_does_not_end_it() -> None:
    """Carried about on the ground, then silent: nothing is known when the flight begins."""
    commander = standing(require_own_pose=False)
    for t in (0.0, 0.1, 0.9):
        commander.own.on_pose(FLOOR + 5.0, LEVEL, replace(commander.estimate(0.1), age=0.0), t)  # type: ignore[type-var]
    assert commander.own.astray()
    commander.renew()
    assert not commander.own.astray()
