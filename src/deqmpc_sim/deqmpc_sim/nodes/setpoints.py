"""The low-level setpoint topics of Crazyswarm2's server, each unit as it is on the wire."""

import math
from collections.abc import Callable

import numpy as np
from crazyflie_interfaces.msg import FullState, Hover, Position, VelocityWorld
from rclpy.node import Node
from std_msgs.msg import Header

from deqmpc_core.flight.frames import yaw_from_quaternion
from deqmpc_sim.firmware import SimulatedCrazyflie
from deqmpc_sim.nodes.graph import NEWEST

NONE = (0.0, 0.0, 0.0)
Send = Callable[[Header, Callable[[], object]], None]
"""Hands a packet to the radio: the message's header, and what the packet does on board."""


class Setpoints:
    """Subscribes to cmd_full_state, cmd_position, cmd_hover and cmd_velocity_world under a prefix.

    The robot's Mellinger controller follows positions only: hover and velocity setpoints keep it level.
    """

    def __init__(self, node: Node, prefix: str, drone: Callable[[], SimulatedCrazyflie], send: Send) -> None:
        self._drone, self._send = drone, send
        node.create_subscription(FullState, f"/{prefix}/cmd_full_state", self._on_full_state, NEWEST)
        node.create_subscription(Position, f"/{prefix}/cmd_position", self._on_position, NEWEST)
        node.create_subscription(Hover, f"/{prefix}/cmd_hover", self._on_hover, NEWEST)
        velocity = f"/{prefix}/cmd_velocity_world"
        node.create_subscription(VelocityWorld, velocity, self._on_velocity, NEWEST)

    def _on_full_state(self, message: FullState) -> None:
        position, twist, acc, q = message.pose.position, message.twist, message.acc, message.pose.orientation
        packet = (
            (position.x, position.y, position.z),
            (twist.linear.x, twist.linear.y, twist.linear.z),
            (acc.x, acc.y, acc.z),
            float(yaw_from_quaternion(np.array([q.x, q.y, q.z, q.w]))),
            (twist.angular.x, twist.angular.y, twist.angular.z),
        )
        drone = self._drone()
        self._send(message.header, lambda: drone.full_state_setpoint(*packet))

    def _on_position(self, message: Position) -> None:
        """Yaw is in degrees: neither server converts it."""
        place, yaw, drone = (message.x, message.y, message.z), math.radians(message.yaw), self._drone()
        self._send(message.header, lambda: drone.full_state_setpoint(place, NONE, NONE, yaw))

    def _on_hover(self, message: Hover) -> None:
        height, drone = float(message.z_distance), self._drone()
        self._send(message.header, lambda: drone.level_setpoint(height))

    def _on_velocity(self, message: VelocityWorld) -> None:
        """No height is in it: the present one is kept."""
        finite = all(map(math.isfinite, (message.vel.x, message.vel.y, message.vel.z, message.yaw_rate)))
        drone = self._drone()
        height = float(drone.estimate.position[2]) if finite else math.nan
        self._send(message.header, lambda: drone.level_setpoint(height))
