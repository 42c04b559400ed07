"""Crazyswarm2's side of one robot: its services, its setpoint topic, what it publishes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from crazyflie_interfaces.msg import FullState, Status
from crazyflie_interfaces.srv import (
    Arm,
    GoTo,
    Land,
    NotifySetpointsStop,
    StartTrajectory,
    Takeoff,
    UploadTrajectory,
)
from geometry_msgs.msg import Pose, PoseStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Header, String
from std_srvs.srv import Empty

from deqmpc_core.flight.frames import yaw_from_quaternion
from deqmpc_sim.firmware import SimulatedCrazyflie
from deqmpc_sim.nodes.graph import (
    LATCHED,
    NANOSECONDS,
    NEWEST,
    RELIABLE,
    WORLD,
    nanoseconds,
    point,
    quaternion,
)

ALL = "all"
URI = "sim://E7E7E7E7E7"
"""crazyflie_py reads the last two digits as the robot's number."""
DESCRIPTION = """<robot name="{name}"><link name="{name}"><visual><geometry>
<cylinder radius="0.046" length="0.03"/></geometry></visual></link></robot>"""


class CrazyflieServer:
    """Forwards calls and setpoints to the drone of the moment; begin() changes it with every episode.

    All that crazyflie_py waits for and asks is here. Trajectories are the exception: their services are
    offered, because without them it waits for ever, but a call is only reported.
    """

    def __init__(self, node: Node, robot: str, drone: SimulatedCrazyflie) -> None:
        self._node, self._robot = node, robot
        node.declare_parameter(f"robots.{robot}.uri", URI)
        node.declare_parameter(f"robots.{robot}.initial_position", [0.0, 0.0, 0.0])
        self.begin(drone)
        self._pose = node.create_publisher(PoseStamped, f"/{robot}/pose", RELIABLE)
        self._status = node.create_publisher(Status, f"/{robot}/status", RELIABLE)
        description = node.create_publisher(String, f"/{robot}/robot_description", LATCHED)
        description.publish(String(data=DESCRIPTION.format(name=robot)))
        for prefix in (robot, ALL):
            node.create_subscription(FullState, f"/{prefix}/cmd_full_state", self._on_full_state, NEWEST)
            self._serve(node, prefix)

    def begin(self, drone: SimulatedCrazyflie) -> None:
        """A new drone stands ready; nothing has been asked of it yet."""
        self.drone = drone
        self.setpoint_stamp: int | None = None
        place = [float(value) for value in drone.truth.position]
        self._node.set_parameters([Parameter(f"robots.{self._robot}.initial_position", value=place)])

    def _serve(self, node: Node, prefix: str) -> None:
        """emergency comes last: on the real server all/emergency is the sign that everything is up."""
        for name, kind, act in (
            ("arm", Arm, lambda request: self.drone.arm(request.arm)),
            ("takeoff", Takeoff, self._takeoff),
            ("notify_setpoints_stop", NotifySetpointsStop, lambda _: self.drone.notify_setpoints_stop()),
            ("land", Land, self._land),
            ("go_to", GoTo, self._go_to),
            ("upload_trajectory", UploadTrajectory, self._report_trajectory),
            ("start_trajectory", StartTrajectory, self._report_trajectory),
            ("emergency", Empty, lambda _: self.drone.emergency()),
        ):
            node.create_service(kind, f"/{prefix}/{name}", _answer(act))

    def _takeoff(self, request: Takeoff.Request) -> None:
        self.drone.takeoff(request.height, seconds(request.duration))

    def _land(self, request: Land.Request) -> None:
        self.drone.land(request.height, seconds(request.duration))

    def _go_to(self, request: GoTo.Request) -> None:
        goal = np.array([request.goal.x, request.goal.y, request.goal.z])
        self.drone.go_to(goal, request.yaw, seconds(request.duration), request.relative)

    def _report_trajectory(self, request: UploadTrajectory.Request | StartTrajectory.Request) -> None:
        message = f"trajectory {request.trajectory_id} ignored: uploaded trajectories are not simulated"
        self._node.get_logger().warning(message)

    def _on_full_state(self, message: FullState) -> None:
        position, twist, acc, q = message.pose.position, message.twist, message.acc, message.pose.orientation
        self.drone.full_state_setpoint(
            (position.x, position.y, position.z),
            (twist.linear.x, twist.linear.y, twist.linear.z),
            (acc.x, acc.y, acc.z),
            float(yaw_from_quaternion(np.array([q.x, q.y, q.z, q.w]))),
            (twist.angular.x, twist.angular.y, twist.angular.z),
        )
        self.setpoint_stamp = nanoseconds(message.header.stamp)

    def publish_pose(self, stamp: Time) -> None:
        """The on-board estimate, as the log block `pose` brings it down."""
        estimate = self.drone.estimate
        pose = Pose(position=point(estimate.position), orientation=quaternion(estimate.quaternion))
        self._pose.publish(PoseStamped(header=Header(stamp=stamp, frame_id=WORLD), pose=pose))

    def publish_status(self, stamp: Time) -> None:
        """Supervisor and battery."""
        status = Status(header=Header(stamp=stamp, frame_id=self._robot))
        status.supervisor_info = int(self.drone.supervisor_info)
        status.battery_voltage = float(self.drone.battery_voltage)
        status.pm_state = Status.PM_STATE_BATTERY
        self._status.publish(status)


def seconds(duration: Duration) -> float:
    """Seconds of a Duration."""
    return (duration.sec * NANOSECONDS + duration.nanosec) / NANOSECONDS


def _answer(act: Callable[[Any], object]) -> Callable[[Any, Any], Any]:
    """A callback that acts and sends the empty response, as the real server does whatever the firmware
    thinks."""

    def callback(request: Any, response: Any) -> Any:
        act(request)
        return response

    return callback
