"""Node `deqmpc_mocap_bridge`: MOCAP4ROS2's rigid bodies as the /poses that Crazyswarm2's server listens to.

The server asks for best effort, depth 1 and a deadline; a publisher that does not offer a deadline as short
is never matched, and the robot's own estimator then has no position.
"""

import sys
import time
from dataclasses import dataclass

from mocap4r2_msgs.msg import RigidBodies
from motion_capture_tracking_interfaces.msg import NamedPoseArray
from rclpy.node import Node

from deqmpc_policy_node import topics
from deqmpc_policy_node.bridge import Bridge, parse_names
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.diagnostics import OK, WARN, DiagnosticsWriter, Health
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.process import Spinner, run
from deqmpc_policy_node.qos import LATEST, with_deadline

REPORT_PERIOD = 5.0
OURS = {topics.RECORDER_NODE, topics.POLICY_NODE, topics.COMMANDER_NODE}
"""Who may listen to the poses beside the server that sends them on to robots."""


@dataclass(frozen=True)
class BridgeParameters:
    """Parameters of `deqmpc_mocap_bridge`."""

    input_topic: str = option(topics.RIGID_BODIES, "topic of mocap4r2_msgs/RigidBodies")
    output_topic: str = option(topics.POSES, "topic of motion_capture_tracking_interfaces/NamedPoseArray")
    names: str = option(
        "", 'robots by body, separated by commas: "1:cf1,2:cf2"; empty: every body under its own name'
    )
    deadline: float = option(
        0.01, "s offered between two messages; at most what the server asks for", (0.001, 1.0)
    )
    frozen_frames: int = option(
        10, "frames after which a bit-equal pose counts as lost; 0: never", (0, 10_000)
    )
    fastest: float = option(
        10.0, "m/s; a body that seems faster was mistaken, its pose is dropped; 0: never", (0.0, 1e3)
    )


class MocapBridge:
    """Converts in the callback: a pose that waits is an old pose."""

    def __init__(self, node: Node, parameters: BridgeParameters) -> None:
        self.node = node
        names = [pair for pair in parameters.names.split(",") if pair.strip()]
        self._bridge = Bridge(parse_names(names), parameters.frozen_frames, parameters.fastest)
        self._told, self._next_report = 0, time.monotonic()
        offered = with_deadline(LATEST, parameters.deadline)
        self._publisher = node.create_publisher(NamedPoseArray, parameters.output_topic, offered)
        node.create_subscription(RigidBodies, parameters.input_topic, self._on_bodies, LATEST)
        self._output, self._sent = parameters.output_topic, 0
        DiagnosticsWriter(node, TimeBase(lock_step=False), "", self._health, "poses").start()

    def _on_bodies(self, message: RigidBodies) -> None:
        bodies = [(body.rigid_body_name, body.pose) for body in message.rigidbodies]
        converted = self._bridge.convert(message.header, bodies)
        if converted is not None:
            self._publisher.publish(converted)
            self._sent += 1

    def _health(self) -> Health:
        """What /diagnostics tells: whether any robot's server can hear the poses."""
        ends = self.node.get_subscriptions_info_by_topic(self._output)
        servers = sorted({end.node_name for end in ends} - OURS)
        values = {"messages": self._sent, "poses dropped": self._bridge.dropped, "listeners": len(servers)}
        if servers and self._publisher.get_subscription_count():
            return Health(OK, f"heard by {', '.join(servers)}", values)
        words = f"no server listens to {self._output}, so no robot knows where it is: start Crazyswarm2's"
        return Health(WARN, words, values)

    def decide(self) -> None:
        """Say now and then that poses were dropped."""
        if self._bridge.dropped > self._told and time.monotonic() >= self._next_report:
            count = self._bridge.dropped - self._told
            why = "not finite, no unit quaternion, too far away, leapt, or frozen"
            self.node.get_logger().warning(f"{count} poses dropped: {why}")
            self._told, self._next_report = self._bridge.dropped, time.monotonic() + REPORT_PERIOD

    def close(self) -> None:
        """Nothing to put in order."""


def _build(node: Node, spinner: Spinner) -> MocapBridge:
    del spinner
    return MocapBridge(node, declare(node, BridgeParameters))


def main() -> None:
    """Entry point of the executable `mocap_bridge`."""
    sys.exit(run(topics.MOCAP_BRIDGE_NODE, _build))


if __name__ == "__main__":
    main()
