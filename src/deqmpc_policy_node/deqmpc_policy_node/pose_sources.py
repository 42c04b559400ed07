"""Where poses come from: motion capture's messages of three kinds as frames of plain values, and one
subscription for the nodes that need them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Pose, PoseStamped
from mocap4r2_msgs.msg import RigidBodies
from motion_capture_tracking_interfaces.msg import NamedPoseArray
from rclpy.node import Node

from deqmpc_core.body_names import same_body
from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import PoseSample
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import array
from deqmpc_policy_node.parameters import option
from deqmpc_policy_node.qos import poses
from deqmpc_policy_node.topics import POSES, RIGID_BODIES

SOURCE_HELP = "kind of pose messages: rigid_bodies, named_pose_array or pose_stamped"
TOPIC_HELP = "topic of the poses; empty: /rigid_bodies or /poses; pose_stamped has no default"
_COUNT = 2**32


@dataclass(frozen=True)
class PoseFrame:
    """One message of motion capture.

    stamp [s]: of capture, since the TimeBase's epoch. frame_number: the driver's counter; for messages that
    carry none, the number of the message among those received. frame_id: the frame the poses are in, as the
    sender calls it. bodies: name and pose of each body in view. single: a message of one pose; its topic has
    told which body that is.
    """

    stamp: float
    frame_number: int
    frame_id: str
    bodies: tuple[tuple[str, Pose], ...]
    single: bool = False

    @property
    def names(self) -> set[str]:
        """Names of the bodies in view."""
        return {name for name, _ in self.bodies}

    def sample(self, body: str) -> PoseSample | None:
        """The pose of the body of exactly this name, or else named as `same_body` has it; None when it is not
        in view."""
        fitting = [(name, pose) for name, pose in self.bodies if self.single or same_body(name, body)]
        if not fitting:
            return None
        pose = min(fitting, key=lambda found: found[0] != body)[1]
        place, turn = array(pose.position), array(pose.orientation)
        return PoseSample(self.stamp, self.frame_number, place, turn)


def frame_of_rigid_bodies(message: RigidBodies, count: int, base: TimeBase) -> PoseFrame:
    """MOCAP4ROS2's message; its own frame number counts, not `count`."""
    del count
    bodies = tuple((body.rigid_body_name, body.pose) for body in message.rigidbodies)
    head = message.header
    return PoseFrame(base.seconds(head.stamp), int(message.frame_number), head.frame_id, bodies)


def frame_of_named_poses(message: NamedPoseArray, count: int, base: TimeBase) -> PoseFrame:
    """motion_capture_tracking's message."""
    bodies = tuple((entry.name, entry.pose) for entry in message.poses)
    return PoseFrame(base.seconds(message.header.stamp), count, message.header.frame_id, bodies)


def frame_of_pose(message: PoseStamped, count: int, base: TimeBase) -> PoseFrame:
    """A single pose, as vrpn_mocap and many others publish it."""
    return PoseFrame(
        base.seconds(message.header.stamp), count, message.header.frame_id, (("", message.pose),), single=True
    )


@dataclass(frozen=True)
class _Kind:
    message: Any
    topic: str
    frame: Callable[[Any, int, TimeBase], PoseFrame]


RIGID_BODIES_SOURCE, NAMED_POSES_SOURCE, POSE_SOURCE = "rigid_bodies", "named_pose_array", "pose_stamped"
KINDS = {
    RIGID_BODIES_SOURCE: _Kind(RigidBodies, RIGID_BODIES, frame_of_rigid_bodies),
    NAMED_POSES_SOURCE: _Kind(NamedPoseArray, POSES, frame_of_named_poses),
    POSE_SOURCE: _Kind(PoseStamped, "", frame_of_pose),
}


@dataclass(frozen=True)
class PoseSourceParameters:
    """Parameters of every node that listens to motion capture."""

    pose_source: str = option(RIGID_BODIES_SOURCE, SOURCE_HELP)
    pose_topic: str = option("", TOPIC_HELP)

    def __post_init__(self) -> None:
        if self.pose_source not in KINDS:
            raise ConfigError(
                f"parameter 'pose_source' must be one of {', '.join(KINDS)}, got '{self.pose_source}'"
            )
        if not self.topic:
            raise ConfigError(
                "parameter 'pose_source' pose_stamped needs 'pose_topic', e.g. /vrpn_mocap/cf1/pose "
                "(not the robot's own /<robot>/pose: that is an estimate)"
            )

    @property
    def counted(self) -> bool:
        """Whether frames carry the driver's own number; else each node counts what it gets."""
        return self.pose_source == RIGID_BODIES_SOURCE

    @property
    def topic(self) -> str:
        """The topic to listen on."""
        return self.pose_topic or KINDS[self.pose_source].topic


class PoseSubscription:
    """Hands every message to a callback as a PoseFrame. Best effort, only the newest; every frame in
    lock-step."""

    def __init__(
        self,
        node: Node,
        parameters: PoseSourceParameters,
        base: TimeBase,
        lock_step: bool,
        callback: Callable[[PoseFrame], None],
    ) -> None:
        """Raises ConfigError in lock-step with messages that have no frame number."""
        if lock_step and parameters.pose_source != RIGID_BODIES_SOURCE:
            raise ConfigError(
                f"lock-step needs frame numbers: pose_source must be {RIGID_BODIES_SOURCE}, "
                f"got '{parameters.pose_source}'"
            )
        self.topic, self._node = parameters.topic, node
        self._kind, self._base, self._callback = KINDS[parameters.pose_source], base, callback
        self._count = 0
        node.create_subscription(self._kind.message, self.topic, self._on_message, poses(lock_step))

    @property
    def senders(self) -> int:
        """Publishers of the topic."""
        return self._node.count_publishers(self.topic)

    def _on_message(self, message: Any) -> None:
        self._count = (self._count + 1) % _COUNT
        self._callback(self._kind.frame(message, self._count, self._base))
