"""Looks at the running graph for some seconds: who is there, what comes how often, who wants which body."""

import math
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deqmpc.doctor.graph import OURS, End, Graph, Wanted

NAME = "deqmpc_doctor"
FOREVER = 1e6
"""s; a longer deadline is none."""
SETTLE, STILL, ANSWER = 6.0, 1.0, 2.0
"""s: at most for nodes' names to come, which DDS repeats every 3 s; without a new one; for a service."""
POLICY, COMMANDER, BRIDGE = "deqmpc_policy", "deqmpc_commander", "deqmpc_mocap_bridge"
DEFAULT_TOPIC = {"rigid_bodies": "/rigid_bodies", "named_pose_array": "/poses"}
_POSES = ("robot", "body", "pose_source", "pose_topic")
PARAMETERS = {POLICY: _POSES, COMMANDER: _POSES, BRIDGE: ("names", "input_topic")}
"""What is asked of each node; one name that it does not know would leave all unanswered."""
LEVELS = {0: "OK", 1: "WARN", 2: "ERROR", 3: "STALE"}


def gather(seconds: float, config: Path | None, robot: str) -> Graph:
    """seconds: how long rates are counted. config, robot: a parameter file whose wanted bodies are looked for
    when no node runs that could be asked."""
    import rclpy
    from rclpy.context import Context

    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    context = Context()
    try:
        rclpy.init(args=[], context=context)
        listener = _Listener(rclpy.create_node(NAME, context=context), context)
    except Exception as why:
        return Graph(domain, trouble=f"no node can be made: {type(why).__name__}: {why}")
    try:
        return listener.look(domain, seconds, config, robot)
    finally:
        listener.close()


def wanted_bodies(values: Mapping[str, Mapping[str, Any]]) -> tuple[Wanted, ...]:
    """What these nodes want, from their parameters by node. A body that is not named is called as the
    robot."""
    found = []
    for node in (POLICY, COMMANDER):
        if node in values:
            get = values[node].get
            topic = get("pose_topic") or DEFAULT_TOPIC.get(get("pose_source") or "rigid_bodies", "")
            body = str(get("body") or get("robot") or "cf1")
            found += [Wanted(node, topic, body)] if topic else []
    bridge = values.get(BRIDGE, {})
    for pair in filter(None, str(bridge.get("names") or "").split(",")):
        body = pair.partition(":")[0].strip()
        found.append(Wanted(BRIDGE, str(bridge.get("input_topic") or "/rigid_bodies"), body))
    return tuple(found)


def configured(config: Path, robot: str) -> dict[str, dict[str, Any]]:
    """Parameters by node of a file as the launch files read it. Raises ConfigError."""
    import yaml

    from deqmpc_core.errors import ConfigError

    try:
        content = yaml.safe_load(config.read_text()) or {}
        sections = {node: dict(part["ros__parameters"]) for node, part in content.items()}
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as why:
        raise ConfigError(f"--config: '{config}' is no parameter file: {why}") from why
    for values in sections.values():
        values.setdefault("robot", robot)
    return sections


class _Listener:
    """A node that only listens, and asks for parameters."""

    def __init__(self, node: Any, context: Any) -> None:
        from rclpy.executors import SingleThreadedExecutor

        self._node, self._context = node, context
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)
        self._counts: dict[str, int] = defaultdict(int)
        self._bodies: dict[str, set[str]] = defaultdict(set)
        self._complaints: dict[str, tuple[str, str, str]] = {}

    def close(self) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()

    def look(self, domain: str, seconds: float, config: Path | None, robot: str) -> Graph:
        nodes = self._nodes()
        if not set(nodes) & set(OURS) and config is None:
            return Graph(domain, nodes)
        values = self._parameters(nodes)
        if not values and config is not None:
            values = configured(config, robot)
        wanted = wanted_bodies(values)
        publishers, subscriptions = self._ends()
        self._watch([*(w.topic for w in wanted), *(e.topic for e in subscriptions if e.deadline < math.inf)])
        self._counts.clear()
        began = time.monotonic()
        self._spin(seconds)
        took = time.monotonic() - began
        rates = {topic: self._counts[topic] / took for topic in self._watched}
        bodies = {topic: frozenset(names) for topic, names in self._bodies.items()}
        return Graph(
            domain, nodes, publishers, subscriptions, rates, bodies, wanted,
            tuple(self._complaints.values()), took,
        )  # fmt: skip

    def _nodes(self) -> tuple[str, ...]:
        """Names of the others, each as often as it was seen, once no new one comes."""
        nodes: tuple[str, ...] = ()
        deadline, since = time.monotonic() + SETTLE, time.monotonic()
        while time.monotonic() < deadline and not (nodes and time.monotonic() - since > STILL):
            self._spin(0.2)
            now = tuple(sorted(n for n in self._node.get_node_names() if not n.startswith(NAME)))
            if now != nodes:
                nodes, since = now, time.monotonic()
        return nodes

    def _spin(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=min(left, 0.1))

    def _ends(self) -> tuple[tuple[End, ...], tuple[End, ...]]:
        node, sides = self._node, ([], [])
        for topic, _ in node.get_topic_names_and_types():
            for side, ask in zip(
                sides, (node.get_publishers_info_by_topic, node.get_subscriptions_info_by_topic), strict=True
            ):
                side += [_end(info, topic) for info in ask(topic) if not info.node_name.startswith(NAME)]
        return tuple(sides[0]), tuple(sides[1])

    def _parameters(self, nodes: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Of the nodes that want bodies; one that does not answer is left out."""
        from rcl_interfaces.srv import GetParameters
        from rclpy.parameter import parameter_value_to_python

        futures = {}
        for name, words in PARAMETERS.items():
            client = self._node.create_client(GetParameters, f"/{name}/get_parameters")
            if name in nodes and client.wait_for_service(ANSWER):
                futures[name] = client.call_async(GetParameters.Request(names=list(words)))
        deadline = time.monotonic() + ANSWER
        while time.monotonic() < deadline and not all(f.done() for f in futures.values()):
            self._executor.spin_once(timeout_sec=0.1)
        answers = {name: f.result().values for name, f in futures.items() if f.done() and f.result()}
        return {
            name: dict(zip(PARAMETERS[name], map(parameter_value_to_python, values), strict=False))
            for name, values in answers.items()
        }

    def _watch(self, topics: Sequence[str]) -> None:
        """Count the messages of these topics; note bodies and complaints."""
        from diagnostic_msgs.msg import DiagnosticArray

        from deqmpc_policy_node.offers import matching_qos, message_class

        self._watched = list(dict.fromkeys(topics))
        for topic in self._watched:
            offers = self._node.get_publishers_info_by_topic(topic)
            if offers:
                kind = message_class(offers[0].topic_type)
                self._node.create_subscription(kind, topic, self._note(topic), matching_qos(offers))
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def _note(self, topic: str) -> Any:
        def note(message: Any) -> None:
            self._counts[topic] += 1
            rows = getattr(message, "rigidbodies", None) or getattr(message, "poses", None) or ()
            for row in rows:
                self._bodies[topic].add(str(getattr(row, "rigid_body_name", getattr(row, "name", ""))))

        return note

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            level = LEVELS.get(int.from_bytes(status.level, "little"), "STALE")
            self._complaints[status.name] = (status.name, level, status.message)


def _end(info: Any, topic: str) -> End:
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    qos = info.qos_profile
    deadline = qos.deadline.nanoseconds / 1e9
    return End(
        info.node_name, topic, info.topic_type, qos.reliability == ReliabilityPolicy.RELIABLE,
        qos.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        deadline if 0.0 < deadline < FOREVER else math.inf,
    )  # fmt: skip
