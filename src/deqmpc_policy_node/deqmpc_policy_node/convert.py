"""Messages to and from the plain values of deqmpc_core.flight. Every number is cast: rclpy aborts on numpy
scalars."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from builtin_interfaces.msg import Duration
from crazyflie_interfaces.msg import FullState
from deqmpc_interfaces.msg import Estimate as EstimateMessage
from deqmpc_interfaces.msg import Plan as PlanMessage
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Vector3
from mocap4r2_msgs.msg import RigidBodies
from nav_msgs.msg import Path
from std_msgs.msg import Header

from deqmpc_core.flight import Estimate, PlanPacket, PoseSample, Setpoint
from deqmpc_core.flight.frames import Array, quaternion_from_yaw
from deqmpc_policy_node.clock import NANOSECONDS, TimeBase

WORLD = "world"


@dataclass(frozen=True)
class PlanDetails:
    """What a plan's message tells beyond the packet the commander flies.

    x ((T+1), n) and u (T, m): the solver's, task frame; waypoints (T, 3): the network's theta, world frame
    [m].
    """

    policy: str
    x: Array
    u: Array
    waypoints: Array = field(default_factory=lambda: np.zeros((0, 3)))
    warm: bool = False
    violation: float = 0.0
    network_ms: float = 0.0
    solver_ms: float = 0.0
    tick_ms: float = 0.0


def header(base: TimeBase, t: float) -> Header:
    """Header in the world frame for time t [s]."""
    return Header(stamp=base.stamp(t), frame_id=WORLD)


def duration(seconds: float) -> Duration:
    """Seconds as a Duration message."""
    ns = round(seconds * NANOSECONDS)
    return Duration(sec=ns // NANOSECONDS, nanosec=ns % NANOSECONDS)


def point(values: Array) -> Point:
    """(3,) as a Point."""
    return Point(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def vector(values: Array) -> Vector3:
    """(3,) as a Vector3."""
    return Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def quaternion(values: Array) -> Quaternion:
    """(4,) xyzw as a Quaternion."""
    return Quaternion(x=float(values[0]), y=float(values[1]), z=float(values[2]), w=float(values[3]))


def array(message: Point | Vector3 | Quaternion) -> Array:
    """(3,) of a Point or Vector3, (4,) xyzw of a Quaternion."""
    xyz = [message.x, message.y, message.z]
    return np.array([*xyz, message.w] if isinstance(message, Quaternion) else xyz)


def _rows(messages: Iterable[Point | Vector3]) -> Array:
    return np.array([[m.x, m.y, m.z] for m in messages]).reshape(-1, 3)


def pose_sample(message: RigidBodies, body: str, base: TimeBase) -> PoseSample | None:
    """The named body's pose, or None when it is not among the bodies."""
    for rigid_body in message.rigidbodies:
        if rigid_body.rigid_body_name == body:
            pose = rigid_body.pose
            stamp = base.seconds(message.header.stamp)
            return PoseSample(stamp, message.frame_number, array(pose.position), array(pose.orientation))
    return None


def plan_message(packet: PlanPacket, details: PlanDetails, base: TimeBase) -> PlanMessage:
    """The message of a plan."""
    return PlanMessage(
        header=header(base, packet.stamp),
        dt=float(packet.dt),
        horizon=len(packet.x_world) - 1,
        sequence=int(packet.sequence),
        frame_number=int(packet.frame_number),
        position=[point(row) for row in packet.x_world],
        velocity=[vector(row) for row in packet.velocity_world],
        acceleration=[vector(row) for row in packet.acceleration_world],
        yaw=[float(value) for value in packet.yaw],
        waypoints=[point(row) for row in details.waypoints],
        n=int(details.x.shape[-1]),
        m=int(details.u.shape[-1]),
        x=[float(value) for value in details.x.ravel()],
        u=[float(value) for value in details.u.ravel()],
        policy=details.policy,
        status=int(packet.status),
        warm=bool(details.warm),
        violation=float(details.violation),
        network_ms=float(details.network_ms),
        solver_ms=float(details.solver_ms),
        tick_ms=float(details.tick_ms),
    )


def plan_packet(message: PlanMessage, base: TimeBase) -> PlanPacket:
    """The packet in a plan's message; plan_message's inverse, bit for bit."""
    return PlanPacket(
        stamp=base.seconds(message.header.stamp),
        dt=message.dt,
        x_world=_rows(message.position),
        velocity_world=_rows(message.velocity),
        acceleration_world=_rows(message.acceleration),
        yaw=np.array(message.yaw),
        status=message.status,
        frame_number=message.frame_number,
        sequence=message.sequence,
        violation=message.violation,
    )


def full_state(setpoint: Setpoint, base: TimeBase, t: float) -> FullState:
    """Crazyswarm2's setpoint: world velocity, acceleration without gravity, yaw in the quaternion, no
    angular rate."""
    message = FullState(header=header(base, t), acc=vector(setpoint.acceleration))
    message.pose = Pose(
        position=point(setpoint.position), orientation=quaternion(quaternion_from_yaw(setpoint.yaw))
    )
    message.twist.linear = vector(setpoint.velocity)
    return message


def estimate_message(estimate: Estimate, base: TimeBase, skipped: Iterable[int] = ()) -> EstimateMessage:
    """The estimate with the frame behind it, and the frames that never came since the last one."""
    message = EstimateMessage(header=header(base, estimate.stamp), frame_number=int(estimate.frame_number))
    message.skipped = [int(number) for number in skipped]
    message.pose = Pose(position=point(estimate.position), orientation=quaternion(estimate.quaternion))
    message.twist.linear = vector(estimate.velocity)
    message.twist.angular = vector(estimate.omega)
    return message


def path_message(packet: PlanPacket, base: TimeBase) -> Path:
    """The plan's knots for viewers, each stamped with its time."""
    poses = [
        PoseStamped(
            header=header(base, packet.stamp + k * packet.dt),
            pose=Pose(position=point(row), orientation=quaternion(quaternion_from_yaw(packet.yaw[k]))),
        )
        for k, row in enumerate(packet.x_world)
    ]
    return Path(header=header(base, packet.stamp), poses=poses)
