"""What the commander hears beside poses and plans: the robot's status and own pose, and obstacles."""

from collections.abc import Callable

from crazyflie_interfaces.msg import Status
from deqmpc_interfaces.msg import Obstacles
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node

from deqmpc_core.flight import Commander
from deqmpc_policy_node import topics
from deqmpc_policy_node.inputs import Inputs
from deqmpc_policy_node.qos import LATCHED, LATEST


class RobotTopics:
    """Listens from construction on and hands everything to the commander."""

    def __init__(
        self, node: Node, robot: str, inputs: Inputs, commander: Commander, now: Callable[[], float]
    ) -> None:
        """now: the commander's time [s]."""
        self._node, self._inputs, self._commander, self._now = node, inputs, commander, now
        node.create_subscription(Status, topics.robot_name(robot, "status"), self._on_status, LATEST)
        node.create_subscription(PoseStamped, topics.robot_name(robot, "pose"), self._on_own_pose, LATEST)
        node.create_subscription(Obstacles, topics.OBSTACLE_SET, self._on_obstacles, LATCHED)

    def _on_status(self, message: Status) -> None:
        self._inputs.status(self._commander, message, self._now())

    def _on_own_pose(self, message: PoseStamped) -> None:
        self._inputs.own_pose(self._commander, message, self._now())

    def _on_obstacles(self, message: Obstacles) -> None:
        if objection := self._inputs.obstacles(self._commander, message, self._now()):
            self._node.get_logger().error(f"obstacles refused: {objection}", throttle_duration_sec=1.0)
