"""Crazyswarm2's side of one robot: its services, its setpoint topics, what it publishes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from crazyflie_interfaces.msg import Status
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
from rclpy.service import Service
from std_msgs.msg import Header, String
from std_srvs.srv import Empty

from deqmpc_core.errors import UnknownNameError
from deqmpc_sim.firmware import SimulatedCrazyflie
from deqmpc_sim.nodes.firmware_parameters import FirmwareParameters
from deqmpc_sim.nodes.graph import (
    ALL,
    LATCHED,
    NANOSECONDS,
    RELIABLE,
    WORLD,
    nanoseconds,
    point,
    quaternion,
)
from deqmpc_sim.nodes.setpoints import Setpoints
from deqmpc_sim.world import World

Act = Callable[[SimulatedCrazyflie, Any], object]
"""What a service asks of the robot."""
URI = "sim://E7E7E7E7E7"
"""crazyflie_py reads the last two digits as the robot's number."""
DESCRIPTION = """<robot name="{name}"><link name="{name}"><visual><geometry>
<cylinder radius="0.046" length="0.03"/></geometry></visual></link></robot>"""


class CrazyflieServer:
    """Hands calls and setpoints to the radio of the moment; begin() changes it with every episode.

    All that crazyflie_py waits for and asks is here. Trajectories are the exception: their services are
    offered, because without them it waits for ever, but a call is only reported.
    """

    def __init__(self, node: Node, robot: str, mass: float, world: World) -> None:
        """mass: ctrlMel.mass at the start [kg]."""
        self._node, self._robot = node, robot
        node.declare_parameter(f"robots.{robot}.uri", URI)
        node.declare_parameter(f"robots.{robot}.initial_position", [0.0, 0.0, 0.0])
        self._parameters = FirmwareParameters(node, robot, mass, lambda: self._world.drone)
        self._services: dict[tuple[str, str], Service] = {}
        self._pose = node.create_publisher(PoseStamped, f"/{robot}/pose", RELIABLE)
        self._status = node.create_publisher(Status, f"/{robot}/status", RELIABLE)
        description = node.create_publisher(String, f"/{robot}/robot_description", LATCHED)
        description.publish(String(data=DESCRIPTION.format(name=robot)))
        for prefix in (robot, ALL):
            Setpoints(node, prefix, lambda: self._world.drone, self._on_setpoint)
        self.begin(world)

    def begin(self, world: World) -> None:
        """A new drone stands ready; nothing has been asked of it yet."""
        self._world = world
        self.setpoint_stamp: int | None = None
        place = [float(value) for value in world.drone.truth.position]
        self._node.set_parameters([Parameter(f"robots.{self._robot}.initial_position", value=place)])
        self._parameters.write()
        self._serve()

    def withdraw(self, name: str) -> None:
        """Offer a service no longer until the next episode. Raises UnknownNameError."""
        if name not in self._kinds():
            raise UnknownNameError("service", name, self._kinds())
        for prefix in (self._robot, ALL):
            service = self._services.pop((prefix, name), None)
            if service is not None:
                self._node.destroy_service(service)

    def _serve(self) -> None:
        """Offer what is not offered.

        emergency comes last: on the real server all/emergency is the sign that everything is up.
        """
        for prefix in (self._robot, ALL):
            for name, (kind, act) in self._kinds().items():
                if (prefix, name) not in self._services:
                    service = self._node.create_service(kind, f"/{prefix}/{name}", self._answer(act))
                    self._services[(prefix, name)] = service

    def _kinds(self) -> dict[str, tuple[type, Act]]:
        return {
            "arm": (Arm, lambda drone, request: drone.arm(request.arm)),
            "takeoff": (Takeoff, _takeoff),
            "notify_setpoints_stop": (
                NotifySetpointsStop,
                lambda drone, _: drone.notify_setpoints_stop(),
            ),
            "land": (Land, _land),
            "go_to": (GoTo, _go_to),
            "upload_trajectory": (UploadTrajectory, self._report_trajectory),
            "start_trajectory": (StartTrajectory, self._report_trajectory),
            "emergency": (Empty, lambda drone, _: drone.emergency()),
        }

    def _answer(self, act: Act) -> Callable[[Any, Any], Any]:
        """A callback that sends the command and the empty response, as the real server does whatever the
        firmware thinks; one for another group of robots goes nowhere."""

        def callback(request: Any, response: Any) -> Any:
            if self._parameters.is_addressed(int(getattr(request, "group_mask", 0))):
                world = self._world
                world.radio.command(world.time, lambda: act(world.drone, request))
            return response

        return callback

    def _on_setpoint(self, header: Header, packet: Callable[[], object]) -> None:
        self._world.radio.setpoint(self._world.time, packet)
        self.setpoint_stamp = nanoseconds(header.stamp)

    def _report_trajectory(
        self, drone: SimulatedCrazyflie, request: UploadTrajectory.Request | StartTrajectory.Request
    ) -> None:
        del drone
        message = f"trajectory {request.trajectory_id} ignored: uploaded trajectories are not simulated"
        self._node.get_logger().warning(message)

    def publish_pose(self, stamp: Time) -> None:
        """The on-board estimate, as the log block `pose` brings it down."""
        estimate = self._world.drone.estimate
        pose = Pose(position=point(estimate.position), orientation=quaternion(estimate.quaternion))
        self._pose.publish(PoseStamped(header=Header(stamp=stamp, frame_id=WORLD), pose=pose))

    def publish_status(self, stamp: Time) -> None:
        """Supervisor, battery and radio."""
        drone, radio = self._world.drone, self._world.radio
        status = Status(header=Header(stamp=stamp, frame_id=self._robot))
        status.supervisor_info = int(drone.supervisor_info)
        status.battery_voltage = float(drone.battery_voltage)
        status.pm_state = int(drone.pm_state)
        status.latency_unicast = round(1e3 * radio.config.radio_latency)
        self._status.publish(status)


def _takeoff(drone: SimulatedCrazyflie, request: Takeoff.Request) -> None:
    drone.takeoff(request.height, seconds(request.duration))


def _land(drone: SimulatedCrazyflie, request: Land.Request) -> None:
    drone.land(request.height, seconds(request.duration))


def _go_to(drone: SimulatedCrazyflie, request: GoTo.Request) -> None:
    """Yaw is in radians, whatever the service's comment says."""
    goal = np.array([request.goal.x, request.goal.y, request.goal.z])
    drone.go_to(goal, request.yaw, seconds(request.duration), request.relative)


def seconds(duration: Duration) -> float:
    """Seconds of a Duration."""
    return (duration.sec * NANOSECONDS + duration.nanosec) / NANOSECONDS
