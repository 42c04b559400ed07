"""What must be right before a take-off, one sentence an item."""

from dataclasses import dataclass

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.commander import Commander
from deqmpc_core.flight.configuration import FlightPhase, FlightRequest
from deqmpc_core.flight.frames import matrix_from_quaternion

ON_GROUND = (FlightPhase.IDLE, FlightPhase.LANDED)


@dataclass(frozen=True)
class Surroundings:
    """What the node knows of the graph: services of the robot nobody offers, how many publish poses (on
    pose_topic) and listen for plan requests, names of bodies in view, what is wrong with their frame.
    live=False (lock-step): robot, poses and phase are of the episode before and say nothing."""

    missing: list[str]
    pose_topic: str
    pose_senders: int
    policies: int
    plan_request_topic: str
    body: str
    in_view: list[str]
    frame: str = ""
    live: bool = True


@dataclass(frozen=True)
class Check:
    """An item of the list; objection is empty when it is right."""

    name: str
    objection: str

    def __str__(self) -> str:
        return f"{self.name}: {self.objection or 'ok'}"


def checklist(
    commander: Commander, around: Surroundings, t: float, request: FlightRequest | None = None
) -> list[Check]:
    """Every item at t [s], for a request or in general."""
    checks = [
        Check("request", "" if request is None else _request(commander, request)),
        Check("robot's services", _services(around)),
        Check("motion capture", _motion_capture(around)),
        Check("policy", _policy(around)),
    ]
    return checks + (_state(commander, around, t) if around.live else [])


def _state(commander: Commander, around: Surroundings, t: float) -> list[Check]:
    """What poses, robot and operator say at t [s]."""
    robot = commander.robot
    unknown = robot.unknown(t) if commander.config.require_status else ""
    return [
        Check("phase", _phase(commander)),
        Check("pose", _pose(commander, around, t)),
        Check("stance", _stance(commander, t)),
        Check("robot's own pose", commander.own.objection(t)),
        Check("obstacles", _obstacles(commander)),
        Check("robot's status", unknown or robot.broken()),
        Check("battery", robot.flat() or robot.weak(t)),
        Check("deadman", commander.deadman.released(t)),
    ]


def objections(checks: list[Check]) -> list[str]:
    """The sentences of the items that are not right."""
    return [check.objection for check in checks if check.objection]


def _request(commander: Commander, request: FlightRequest) -> str:
    try:
        request.check()
    except ConfigError as error:
        return str(error)
    config, inner = commander.config, commander.fence.inner
    if not inner.holds(request.start):
        return f"{commander.fence.strayed(request.start, 'the start')}: move it or fence_inner_low, _high"
    if not inner.low[2] <= config.takeoff_height <= inner.high[2]:
        return f"takeoff_height {config.takeoff_height:.2f} m is outside the inner geofence"
    if request.policy_period >= config.plan_timeout:
        return (
            f"policy_period {request.policy_period:.2f} s must be below plan_timeout "
            f"{config.plan_timeout:.2f} s, or every plan is late"
        )
    return ""


def _phase(commander: Commander) -> str:
    phase = commander.phase
    if phase in ON_GROUND:
        return ""
    remedy = "reset" if phase is FlightPhase.FAULT else "stop"
    why = f": {commander.reason}" if commander.reason else ""
    return f"cannot start ({phase.value}{why}); call /deqmpc_commander/{remedy} first"


def _services(around: Surroundings) -> str:
    if not around.missing:
        return ""
    return f"nobody offers {around.missing[0]}; start Crazyswarm2's server or the simulator for this robot"


def _motion_capture(around: Surroundings) -> str:
    if around.pose_senders:
        return ""
    return f"nobody publishes {around.pose_topic}; start the motion capture driver"


def _pose(commander: Commander, around: Surroundings, t: float) -> str:
    late = commander.pose_late(t)
    if late:
        others = f" (wanted '{around.body}', in view: {', '.join(around.in_view)})" if around.in_view else ""
        return f"{late}{f' ({around.frame})' if around.frame else others}"
    delay, limit = commander.pose_delay, 0.5 * commander.config.pose_late
    if delay > limit:
        return (
            f"poses are {delay:.2f} s old when they come (limit {limit:.2f} s, half of pose_late): are the "
            "clocks of motion capture and of this computer in step?"
        )
    seen = commander.estimate(t)
    return "no pose" if seen is None else commander.fence.left(seen.position, "the robot")


def _stance(commander: Commander, t: float) -> str:
    """Level, still and on the floor; said of fresh poses only."""
    seen, c = commander.estimate(t), commander.config
    if seen is None or commander.pose_late(t):
        return ""
    tilt = float(np.arccos(np.clip(matrix_from_quaternion(seen.quaternion)[2, 2], -1.0, 1.0)))
    if tilt > c.start_tilt:
        return (
            f"the robot leans by {tilt:.2f} rad (limit {c.start_tilt:.2f} rad): put it level, or set the "
            "body's axes in the motion capture software (z up, x forward)"
        )
    speed, height = float(np.linalg.norm(seen.velocity)), float(seen.position[2])
    if speed > c.start_speed:
        return f"the robot moves at {speed:.2f} m/s (limit {c.start_speed:.2f} m/s): put it down"
    if abs(height) >= c.landed_height:
        return (
            f"the robot stands at z = {height:.2f} m, no landing there would be seen (landed_height "
            f"{c.landed_height:.2f} m): put it on the floor, the world's origin there, or the body's nearer "
            "to its feet"
        )
    return ""


def _obstacles(commander: Commander) -> str:
    if commander.obstacles_known or not commander.config.require_obstacles:
        return ""
    return "the policy has not told its set of obstacles: plans could not be checked; is it configured?"


def _policy(around: Surroundings) -> str:
    return "" if around.policies else f"nobody listens on {around.plan_request_topic}; start the policy node"
