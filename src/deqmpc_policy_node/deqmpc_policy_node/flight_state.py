"""The commander's state on its topic: at every change and once a second."""

from deqmpc_interfaces.msg import FlightState
from geometry_msgs.msg import Point
from rclpy.node import Node

from deqmpc_core.flight import Commander
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import header, point
from deqmpc_policy_node.qos import LATCHED

PERIOD = 1.0
MOST_OTHERS = 20
NOWHERE = Point(x=float("nan"), y=float("nan"), z=float("nan"))


class StateAnnouncer:
    """Publishes phase and reason; a missing pose is explained by the body names that were seen instead."""

    def __init__(self, node: Node, base: TimeBase, body: str) -> None:
        self._base, self._body = base, body
        self._publisher = node.create_publisher(FlightState, topics.FLIGHT_STATE, LATCHED)
        self._last: tuple[str, str] | None = None
        self._last_time = 0.0
        self._others: dict[str, None] = {}

    def renew(self) -> None:
        """Another flight: announce even what has not changed; bodies seen are of the one before."""
        self._last = None
        self._others.clear()

    def saw_others(self, names: set[str]) -> None:
        """Bodies in view while ours was not."""
        for name in sorted(names):
            self._others.pop(name, None)
            self._others[name] = None
        for name in list(self._others)[:-MOST_OTHERS]:
            del self._others[name]

    def announce(self, commander: Commander, t: float) -> None:
        """Publish at t [s] if there is news or a second has passed."""
        news = (commander.phase.name, self._explained(commander.reason))
        if news == self._last and t - self._last_time < PERIOD:
            return
        goal = NOWHERE if commander.goal is None else point(commander.goal)
        self._publisher.publish(
            FlightState(header=header(self._base, t), phase=news[0], reason=news[1], goal=goal)
        )
        self._last, self._last_time = news, t

    def _explained(self, reason: str) -> str:
        if "pose" not in reason or not self._others:
            return reason
        return f"{reason} (wanted '{self._body}', in view: {', '.join(sorted(self._others))})"
