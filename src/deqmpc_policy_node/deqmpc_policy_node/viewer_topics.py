"""Pictures of a plan for viewers: nobody waits for them, and they come ten times a second at most."""

from nav_msgs.msg import Path
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from deqmpc_core.flight import PlanPacket
from deqmpc_core.flight.pilot import Pilot
from deqmpc_core.tasks import Task
from deqmpc_policy_node import markers, topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import PlanDetails, path_message
from deqmpc_policy_node.reports import round_plans

PERIOD = 0.09
"""s between two pictures: no eye needs more, and they cost a third of a tick."""


class ViewerTopics:
    """Path and waypoints; every round's plan where it is asked for."""

    def __init__(self, node: Node, base: TimeBase, rounds: bool) -> None:
        self._base, self._last = base, -1.0
        self._paths = node.create_publisher(Path, topics.PATH, 1)
        self._waypoints = node.create_publisher(MarkerArray, topics.WAYPOINTS, 1)
        self._rounds = node.create_publisher(MarkerArray, topics.ROUNDS, 1) if rounds else None

    def due(self, t: float) -> bool:
        """Whether a picture is to be published at t [s]; the next one is not before a period has passed."""
        if 0.0 <= t - self._last < PERIOD:
            return False
        self._last = t
        return True

    def publish(self, packet: PlanPacket, details: PlanDetails, pilot: Pilot, task: Task) -> None:
        """The pilot's last tick."""
        self._paths.publish(path_message(packet, self._base))
        self._waypoints.publish(markers.waypoints(details.waypoints, self._base, packet.stamp))
        if self._rounds is not None:
            self._rounds.publish(markers.rounds(round_plans(pilot, task), self._base, packet.stamp))
