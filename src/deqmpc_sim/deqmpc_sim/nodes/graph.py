"""What the simulator needs of the graph: names, qualities of service, stamps, a loop. The robot's side is
Crazyswarm2's.

deqmpc_policy_node has its own such file: the two packages meet on the wire only, as robot and policy do.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Quaternion, Vector3
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from deqmpc_core.flight.frames import Array

NODE = "crazyflie_server"
ALL = "all"
"""In place of a robot's name: every robot."""
RIGID_BODIES = "/rigid_bodies"
NAMED_POSES = "/poses"
STEP = "/deqmpc/step"
STEP_DONE = "/deqmpc/step_done"
FLIGHT_STATE = "/deqmpc/flight_state"
EPISODE_RESULT = "/deqmpc/episode_result"
FIRMWARE = "/deqmpc/firmware"
TRUTH = "/deqmpc/truth"
PLANT_STATE = "/deqmpc/plant_state"
CONTROL = "/deqmpc/control"
RESET_SERVICE = f"/{NODE}/reset"
FAULT_SERVICE = f"/{NODE}/inject_fault"

WORLD = "world"
MOCAP = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
"""As all drivers of MOCAP4ROS2 publish."""
NAMED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.BEST_EFFORT, deadline=Duration(nanoseconds=10_000_000)
)
"""/poses as motion_capture_tracking offers it; Crazyswarm2's server refuses publishers without deadline."""
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
"""Setpoints: one that waited in a queue would fly an old plan, or take over again after a hand-over."""
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)

NANOSECONDS = 1_000_000_000
PATIENCE = 0.1


def nanoseconds(stamp: Time) -> int:
    """Integer nanoseconds of a ROS stamp."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def stamp_of(ns: int) -> Time:
    """ROS stamp of integer nanoseconds."""
    return Time(sec=ns // NANOSECONDS, nanosec=ns % NANOSECONDS)


def point(values: Array) -> Point:
    """(3,) as a Point; cast because rclpy aborts on numpy scalars."""
    return Point(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def vector(values: Array) -> Vector3:
    """(3,) as a Vector3."""
    return Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def quaternion(values: Array) -> Quaternion:
    """(4,) xyzw as a Quaternion."""
    return Quaternion(x=float(values[0]), y=float(values[1]), z=float(values[2]), w=float(values[3]))


class Spinner:
    """A single-threaded executor that can wait in the middle of a simulated step, and the signals that end
    it."""

    def __init__(self, node: Node) -> None:
        self.interrupted = False
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.interrupted = True

    def once(self, timeout: float = PATIENCE) -> None:
        """Run at most one callback within `timeout` [s]."""
        self._executor.spin_once(timeout_sec=timeout)

    def until(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        """Run callbacks until the condition holds; False after `timeout` [s] of wall time or a signal."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not condition():
            left = PATIENCE if deadline is None else deadline - time.monotonic()
            if left <= 0.0 or self.interrupted:
                return False
            self.once(min(left, PATIENCE))
        return True
