"""What the commander's callbacks do with a message: everything short of the graph, so that any message can be
thrown at it. Nothing here raises, whatever comes."""

import math
from dataclasses import replace

import numpy as np
from crazyflie_interfaces.msg import Status
from deqmpc_interfaces.msg import Obstacles, Plan
from deqmpc_interfaces.srv import StartFlight
from geometry_msgs.msg import PoseStamped
from std_msgs.msg import Bool

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Commander, FlightRequest, PoseSample, RobotStatus
from deqmpc_core.flight.obstacle_set import ObstacleSet
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import array, plan_packet
from deqmpc_policy_node.pose_sources import PoseFrame

MAX_KNOTS = 1000
"""A plan with more knots is not converted: its size alone would make the tick late."""


class FrameKeeper:
    """Poses count only in one frame: the one that is asked for, or else the first one seen."""

    def __init__(self, wanted: str) -> None:
        self._wanted = wanted
        self.complaint = ""
        self.forget()

    def forget(self) -> None:
        """Another flight may be in another frame."""
        self._frame: str | None = self._wanted or None

    def accepts(self, frame_id: str) -> bool:
        """True for a pose that counts."""
        self._frame = frame_id if self._frame is None else self._frame
        self.complaint = (
            "" if frame_id == self._frame else f"poses are in frame '{frame_id}', not '{self._frame}'"
        )
        return not self.complaint


class Inputs:
    """Messages in, calls of a Commander out. times are seconds since the TimeBase's epoch."""

    def __init__(self, base: TimeBase, body: str, frame: str, counted: bool = True) -> None:
        """counted: frame numbers are motion capture's own, so those of plans mean the same frames."""
        self._base, self._body, self._counted = base, body, counted
        self.frames = FrameKeeper(frame)
        self.in_view: set[str] = set()

    def pose(self, frame: PoseFrame) -> PoseSample | None:
        """Our body's pose in a frame of motion capture; None when it is not there or in another frame."""
        sample = frame.sample(self._body)
        if sample is None:
            self.in_view = set(sorted(frame.names)[:20])
            return None
        return sample if self.frames.accepts(frame.frame_id) else None

    def plan(self, commander: Commander, message: Plan, arrival: float) -> bool:
        """Hand a plan on; True when it is flown."""
        if len(message.position) > MAX_KNOTS:
            return False
        packet = plan_packet(message, self._base)
        return commander.on_plan(packet if self._counted else replace(packet, frame_number=0), arrival)

    def status(self, commander: Commander, message: Status, t: float) -> None:
        """Hand the robot's status on."""
        commander.on_status(robot_status(message), t)

    def own_pose(self, commander: Commander, message: PoseStamped, t: float) -> None:
        """Hand the robot's own estimate on, held against motion capture of the same moment."""
        place, turn = array(message.pose.position), array(message.pose.orientation)
        commander.own.on_pose(place, turn, commander.estimate(t), t)

    def deadman(self, commander: Commander, message: Bool, t: float) -> None:
        """Hand the operator's switch on."""
        commander.on_deadman(bool(message.data), t)

    def obstacles(self, commander: Commander, message: Obstacles, t: float) -> str:
        """Hand the spheres on that the policy plans around, if they are sound. What is wrong with them, or
        nothing."""
        try:
            commander.set_obstacles(obstacle_set(message, self._base, t))
        except ConfigError as error:
            return str(error)
        return ""


def robot_status(message: Status) -> RobotStatus:
    """The plain values; a voltage that is not finite counts as not measured."""
    battery = float(message.battery_voltage)
    return RobotStatus(
        battery if math.isfinite(battery) else 0.0, int(message.pm_state), int(message.supervisor_info)
    )


def flight_request(request: StartFlight.Request) -> FlightRequest:
    """The plain values, unchecked."""
    return FlightRequest(array(request.start), int(request.policy_steps), float(request.policy_period))


def obstacle_set(message: Obstacles, base: TimeBase, t: float) -> ObstacleSet:
    """The spheres of a message that came at t [s]. Raises ConfigError when they are none."""
    count = len(message.centers) + len(message.velocities) + len(message.radii)
    if count > MAX_KNOTS:
        raise ConfigError(f"a set of {count} numbers is no set of obstacles")
    centers, velocities = (
        np.array([array(row) for row in rows]).reshape(-1, 3)
        for rows in (message.centers, message.velocities)
    )
    head = message.header.stamp
    stamp = base.seconds(head) if head.sec or head.nanosec else t
    return ObstacleSet.checked(centers, velocities, np.array(message.radii, dtype=float), stamp)
