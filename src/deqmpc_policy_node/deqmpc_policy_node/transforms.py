"""The estimate as a transform for viewers, where tf2_msgs is installed (it comes with a full ROS 2)."""

import importlib
import importlib.util

from geometry_msgs.msg import Transform, TransformStamped
from rclpy.node import Node

from deqmpc_core.flight import Estimate
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import header, quaternion, vector

TF = "/tf"


def transform(estimate: Estimate, robot: str, base: TimeBase) -> TransformStamped:
    """From the world to the frame `<robot>_estimate`: Crazyswarm2 has the robot's own name."""
    return TransformStamped(
        header=header(base, estimate.stamp),
        child_frame_id=f"{robot}_estimate",
        transform=Transform(translation=vector(estimate.position), rotation=quaternion(estimate.quaternion)),
    )


class TransformWriter:
    """Sends the estimate on /tf; does nothing where tf2_msgs is not installed."""

    def __init__(self, node: Node, robot: str, base: TimeBase) -> None:
        self._robot, self._base, self._publisher = robot, base, None
        if importlib.util.find_spec("tf2_msgs") is not None:
            self._message = importlib.import_module("tf2_msgs.msg").TFMessage
            self._publisher = node.create_publisher(self._message, TF, 10)

    def send(self, estimate: Estimate) -> None:
        """Tell where the robot is estimated to be."""
        if self._publisher is not None:
            transforms = [transform(estimate, self._robot, self._base)]
            self._publisher.publish(self._message(transforms=transforms))
