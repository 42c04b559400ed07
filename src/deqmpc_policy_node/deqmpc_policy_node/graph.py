"""What the running nodes say, hear, offer and ask, as a table for people and as SROS 2 policies.

    python -m deqmpc_policy_node.graph docs/graph.md config/sros2/policies.xml [--check]

looks at the nodes that run in this ROS domain (all of NODES must) and writes both files, or says with status
1 that they are old. tests/nodes/test_graph.py starts the nodes and checks.
"""

import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import rclpy
from rclpy.node import Node

from deqmpc_core.files import write_text
from deqmpc_core.pages import renew
from deqmpc_policy_node.firmware_check import GET, SET
from deqmpc_policy_node.nodes.mocap_bridge import BridgeParameters
from deqmpc_policy_node.nodes.recorder import RecorderParameters
from deqmpc_policy_node.tables import named, table
from deqmpc_policy_node.topics import (
    COMMANDER_NODE,
    DIAGNOSTICS,
    EMERGENCY_SERVICE,
    MOCAP_BRIDGE_NODE,
    PLAN_REQUEST,
    POLICY_NODE,
    POSES,
    RECORDER_NODE,
    START_SERVICE,
)
from deqmpc_policy_node.transforms import TF

SERVER = "crazyflie_server"
NODES = (POLICY_NODE, COMMANDER_NODE, RECORDER_NODE, MOCAP_BRIDGE_NODE, SERVER)
ENCLAVES = {
    POLICY_NODE: "/deqmpc/policy", COMMANDER_NODE: "/deqmpc/commander", RECORDER_NODE: "/deqmpc/recorder",
    MOCAP_BRIDGE_NODE: "/deqmpc/mocap_bridge", SERVER: "/deqmpc/server", "operator": "/deqmpc/operator",
}  # fmt: skip
PARAMETERS = {RECORDER_NODE: RecorderParameters, MOCAP_BRIDGE_NODE: BridgeParameters}
"""Those of policy and commander are in docs/nodes.md."""

OWN = re.compile(
    r"/(rosout|parameter_events|.*/(describe|get|list|set)_parameter.*|.*/get_type_description)$"
)
"""What every node has; the table leaves it out."""

STILL = 3.0
_RULES = (
    ("publishes", "topic", "publish"),
    ("subscribes", "topic", "subscribe"),
    ("offers", "service", "reply"),
    ("asks", "service", "request"),
)
Names = dict[str, str]


@dataclass
class Ends:
    """Type by name of what a node publishes, subscribes, offers as a service, and asks of others."""

    publishes: Names = field(default_factory=dict)
    subscribes: Names = field(default_factory=dict)
    offers: Names = field(default_factory=dict)
    asks: Names = field(default_factory=dict)


Graph = dict[str, Ends]


def look(node: Node) -> Graph | None:
    """The graph of NODES at this moment; None while one of them is not seen."""
    if not set(NODES) <= set(node.get_node_names()):
        return None
    try:
        graph = {name: _ends(node, name) for name in NODES}
    except RuntimeError:  # a node that is known by name only, so far
        return None
    return completed(graph) if _started(graph) else None


def _started(graph: Graph) -> bool:
    """Each node has what it makes last."""
    return (
        PLAN_REQUEST in graph[POLICY_NODE].subscribes
        and {START_SERVICE, EMERGENCY_SERVICE} <= set(graph[COMMANDER_NODE].offers)
        and DIAGNOSTICS in graph[RECORDER_NODE].publishes
        and POSES in graph[MOCAP_BRIDGE_NODE].publishes
        and f"/{SERVER}/reset" in graph[SERVER].offers
    )


def _ends(node: Node, name: str) -> Ends:
    asked: Any = (
        node.get_publisher_names_and_types_by_node, node.get_subscriber_names_and_types_by_node,
        node.get_service_names_and_types_by_node, node.get_client_names_and_types_by_node,
    )  # fmt: skip
    return Ends(*({topic: kinds[0] for topic, kinds in ask(name, "/")} for ask in asked))


def completed(graph: Graph) -> Graph:
    """With what a look at one moment cannot show: the policy sends transforms where tf2_msgs is installed,
    the recorder hears all that is said, the commander asks the server for its parameters when it starts, and
    an operator starts, stops and swaps."""
    graph[POLICY_NODE].publishes[TF] = "tf2_msgs/msg/TFMessage"
    said = {topic: kind for ends in graph.values() for topic, kind in ends.publishes.items()}
    graph[RECORDER_NODE].subscribes = said
    graph[COMMANDER_NODE].asks[GET] = "rcl_interfaces/srv/GetParameters"
    graph[COMMANDER_NODE].asks[SET] = "rcl_interfaces/srv/SetParameters"
    mine = {**graph[POLICY_NODE].offers, **graph[COMMANDER_NODE].offers}
    heard = {**graph[COMMANDER_NODE].subscribes, **graph[POLICY_NODE].subscribes}
    spoken = {topic: kind for topic, kind in heard.items() if topic not in said}
    emergency = {name: kind for name, kind in graph[SERVER].offers.items() if name.endswith("/emergency")}
    graph["operator"] = Ends(spoken, dict(said), {}, {**mine, **emergency})
    return graph


def settled(node: Node, timeout: float) -> Graph:
    """The graph once it has not changed for a while; TimeoutError after `timeout` [s]."""
    deadline, since, last = time.monotonic() + timeout, time.monotonic(), None
    while time.monotonic() < deadline:
        now = look(node)
        if now != last:
            last, since = now, time.monotonic()
        if last is not None and time.monotonic() - since > STILL:
            return last
        time.sleep(0.2)
    raise TimeoutError(f"not all of {', '.join(NODES)} were seen within {timeout:.0f} s")


def policies(graph: Mapping[str, Ends]) -> str:
    """SROS 2 policies: each node may do what it does, and nothing else."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<policy version="0.2.0">', "  <enclaves>"]
    for name, ends in graph.items():
        lines += [f'    <enclave path="{ENCLAVES[name]}">', "      <profiles>"]
        lines += [f'        <profile ns="/" node="{name}">']
        for kind, tag, rule in _RULES:
            lines += _expressions(tag, rule, getattr(ends, kind))
        lines += ["        </profile>", "      </profiles>", "    </enclave>"]
    return "\n".join([*lines, "  </enclaves>", "</policy>"]) + "\n"


def _expressions(tag: str, rule: str, names: Names) -> list[str]:
    inner = [f"            <{tag}>{escape(name)}</{tag}>" for name in sorted(names)]
    return [f'          <{tag}s {rule}="ALLOW">', *inner, f"          </{tag}s>"] if inner else []


def parts(graph: Mapping[str, Ends]) -> dict[str, str]:
    """The tables of the page by their names: topics and services by node, parameters of the small nodes."""
    small = {named(name): table([config]) for name, config in PARAMETERS.items()}
    return {"graph": _tables(graph)} | small


def _tables(graph: Mapping[str, Ends]) -> str:
    lines = []
    for kind, title in (("topic", "Topics"), ("service", "Services")):
        into, out = ("subscribes", "publishes") if kind == "topic" else ("asks", "offers")
        rows = _rows({n: e for n, e in graph.items() if n not in (RECORDER_NODE, "operator")}, into, out)
        head = ("published by", "heard by") if kind == "topic" else ("offered by", "asked by")
        top = f"| {kind} | type | {' | '.join(head)} |"
        lines += [f"### {title}", "", top, "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(graph: Mapping[str, Ends], into: str, out: str) -> list[str]:
    sides = [getattr(ends, side) for ends in graph.values() for side in (into, out)]
    kinds = {name: kind for side in sides for name, kind in side.items()}
    rows = []
    for name in sorted(kinds):
        if OWN.match(name):
            continue
        giving, taking = (_who(graph, side, name) for side in (out, into))
        kind = re.sub("/(msg|srv)/", "/", kinds[name])
        rows.append(f"| `{name}` | {kind} | {giving} | {taking} |")
    return rows


def _who(graph: Mapping[str, Ends], side: str, name: str) -> str:
    return ", ".join(node for node, ends in graph.items() if name in getattr(ends, side))


def main(arguments: list[str]) -> int:
    """Write both files, or check them."""
    check = "--check" in arguments
    page, rules = (Path(argument) for argument in arguments if argument != "--check")
    rclpy.init(args=[])
    try:
        graph = settled(Node("deqmpc_graph"), 300.0)
    finally:
        rclpy.try_shutdown()
    current = renew(page, parts(graph), check) and policies(graph) == rules.read_text()
    if not check:
        write_text(rules, policies(graph))
    return int(check and not current)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
