"""A running graph: nodes, qualities of service, rates, and the bodies of motion capture. No ROS in here."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deqmpc.doctor.finding import Finding, error, ok, skipped, warning
from deqmpc_core.body_names import same_body
from deqmpc_core.errors import UnknownNameError

NODES, QOS, RATES, BODIES, HEALTH = "nodes", "QoS", "rates", "mocap names", "diagnostics"
OURS = ("deqmpc_policy", "deqmpc_commander", "deqmpc_recorder", "deqmpc_mocap_bridge", "crazyflie_server")
POSES_LOW, POSES_LEAST = 50.0, 10.0
"""Hz; below the first the estimate is rough, below the second the commander holds (pose_late 0.2 s)."""
SLACK = 0.8


@dataclass(frozen=True)
class End:
    """A publisher or a subscription. kind: the message's type; deadline [s]: infinite where none is set."""

    node: str
    topic: str
    kind: str
    reliable: bool = True
    latched: bool = False
    deadline: float = math.inf


@dataclass(frozen=True)
class Wanted:
    """A body that a node, or a parameter file, wants on a topic."""

    by: str
    topic: str
    body: str


@dataclass(frozen=True)
class Graph:
    """nodes: names, each as often as it was seen. rates [Hz]: of the watched topics; watched [s]: for how
    long. bodies: names by topic. phase: the commander's. complaints: (name, level, sentence) of
    /diagnostics. trouble: why there is no graph."""

    domain: str
    nodes: tuple[str, ...] = ()
    publishers: tuple[End, ...] = ()
    subscriptions: tuple[End, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)
    bodies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    wanted: tuple[Wanted, ...] = ()
    complaints: tuple[tuple[str, str, str], ...] = ()
    watched: float = 0.0
    trouble: str = ""


def check(graph: Graph) -> list[Finding]:
    """All checks of a graph; one line where there is none."""
    if graph.trouble:
        return [error(NODES, graph.trouble, "see the lines above")]
    ours = [name for name in graph.nodes if name in OURS]
    found = _nodes(graph, ours)
    if not ours and not graph.wanted:
        return found
    return [*found, *_qos(graph), *_poses(graph), *_deadlines(graph), *_bodies(graph), *_health(graph)]


def _nodes(graph: Graph, ours: Sequence[str]) -> list[Finding]:
    if not ours:
        text = f"none of ours runs in domain {graph.domain}; topics, QoS and names were not looked at"
        return [skipped(NODES, text, "start a launch file first; the same ROS_DOMAIN_ID on all machines")]
    twice = [name for name, count in Counter(ours).items() if count > 1]
    if twice:
        text = f"more than one {', '.join(twice)} in domain {graph.domain}: the robot would be flown twice"
        return [error(NODES, text, "end one of them, or give each run a ROS_DOMAIN_ID of its own")]
    return [ok(NODES, f"{', '.join(ours)} in domain {graph.domain}")]


def mismatches(publisher: End, subscription: End) -> list[str]:
    """Why no message passes between the two ends of a topic, in words (DDS: requested against offered)."""
    why = []
    if publisher.kind != subscription.kind:
        why.append(f"says {publisher.kind}, heard as {subscription.kind}")
    if subscription.reliable and not publisher.reliable:
        why.append("offers best effort, asked for reliable")
    if subscription.latched and not publisher.latched:
        why.append("offers volatile, asked for transient local")
    if subscription.deadline < publisher.deadline:
        offered = "none" if math.isinf(publisher.deadline) else f"{1e3 * publisher.deadline:g} ms"
        why.append(f"offers deadline {offered}, asked for {1e3 * subscription.deadline:g} ms")
    return why


def _qos(graph: Graph) -> list[Finding]:
    found, pairs = [], 0
    for subscription in graph.subscriptions:
        for publisher in graph.publishers:
            if publisher.topic != subscription.topic:
                continue
            pairs += 1
            why = mismatches(publisher, subscription)
            if why:
                text = f"{publisher.topic}: {publisher.node} {' and '.join(why)} by {subscription.node}: "
                found.append(error(QOS, text + "no message passes", _qos_remedy(publisher, subscription)))
    return found or [ok(QOS, f"{pairs} pairs of publisher and subscription match")]


def _qos_remedy(publisher: End, subscription: End) -> str:
    if subscription.deadline < publisher.deadline:
        return f"publish {publisher.topic} through deqmpc_mocap_bridge, which offers a deadline"
    return f"set the QoS of {publisher.node} or {subscription.node}, whichever is yours (docs/nodes.md)"


def _poses(graph: Graph) -> list[Finding]:
    """Rates of the topics that poses are wanted on."""
    found = []
    for topic in dict.fromkeys(wanted.topic for wanted in graph.wanted):
        rate = graph.rates.get(topic, 0.0)
        if not any(end.topic == topic for end in graph.publishers):
            text = f"nobody publishes {topic}: no pose, no flight"
            remedy = "start and activate the motion capture driver, in this ROS_DOMAIN_ID"
            found.append(error(RATES, text, remedy))
        elif rate == 0.0:
            text = f"{topic} has a publisher, but no message came in {graph.watched:.0f} s"
            remedy = "activate the driver; see the lines 'QoS'; is a body in view?"
            found.append(error(RATES, text, remedy))
        elif rate < POSES_LOW:
            text = f"{topic}: {rate:.0f} Hz, too slow to fly by (100 Hz is usual)"
            line = error if rate < POSES_LEAST else warning
            found.append(line(RATES, text, "raise the rate of motion capture; does the network lose any?"))
        else:
            found.append(ok(RATES, f"{topic}: {rate:.0f} Hz"))
    return found


def _deadlines(graph: Graph) -> list[Finding]:
    """Topics whose subscription set a deadline and that come more rarely."""
    found = []
    for end in graph.subscriptions:
        rate = graph.rates.get(end.topic)
        if rate is not None and 0.0 < rate < SLACK / end.deadline:
            text = f"{end.topic}: {rate:.0f} Hz, but {end.node} set a deadline of {1e3 * end.deadline:g} ms"
            found.append(warning(RATES, text, f"raise the rate of {end.topic}"))
    return found


def _bodies(graph: Graph) -> list[Finding]:
    """Whether each wanted body was among those published; only where some were."""
    found = []
    for wanted in graph.wanted:
        names = graph.bodies.get(wanted.topic, frozenset())
        if not names:
            continue
        if any(same_body(name, wanted.body) for name in names):
            found.append(ok(BODIES, f"{wanted.by}: '{wanted.body}' is on {wanted.topic}"))
        else:
            text = f"{wanted.by}, on {wanted.topic}: {UnknownNameError('body', wanted.body, names)}"
            remedy = "launch with body:=NAME or ID as published, or rename the body in the mocap software"
            found.append(error(BODIES, text, remedy))
    return found


def _health(graph: Graph) -> list[Finding]:
    """What nodes say of themselves."""
    line = {"WARN": warning, "ERROR": error, "STALE": warning}
    remedy = "ros2 topic echo /diagnostics; docs/nodes.md says what it means"
    return [
        line[level](HEALTH, f"{name}: {text}", remedy)
        for name, level, text in graph.complaints
        if level in line
    ]
