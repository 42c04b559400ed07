"""docs/graph.md and config/sros2/policies.xml say what the running nodes really do."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context

from deqmpc_core.pages import renew
from deqmpc_policy_node import topics
from deqmpc_policy_node.graph import ENCLAVES, NODES, Graph, parts, policies, settled
from tests.nodes.sim import ROOT, environment

pytestmark = pytest.mark.ros
PAGE, POLICIES = ROOT / "docs" / "graph.md", ROOT / "config" / "sros2" / "policies.xml"
AGAIN = "start the nodes and run: python -m deqmpc_policy_node.graph docs/graph.md config/sros2/policies.xml"
MODULES = {
    "deqmpc_sim.nodes.simulator": [],
    "deqmpc_policy_node.nodes.policy": ["policy:=goal-mpc"],
    "deqmpc_policy_node.nodes.commander": [],
    "deqmpc_policy_node.nodes.recorder": ["directory:=bag"],
    "deqmpc_policy_node.nodes.mocap_bridge": [],
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """The five nodes, in real time as on hardware."""
    from deqmpc.session.domain import take_domain

    taken, folder = take_domain(None), tmp_path_factory.mktemp("graph")
    here = {"ROS_DOMAIN_ID": str(taken.number), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, "--ros-args", *(word for p in words for word in ("-p", p))],
            cwd=folder, env={**environment(), **here},
        )
        for module, words in MODULES.items()
    ]  # fmt: skip
    os.environ.update({**here})
    context = Context()
    rclpy.init(args=[], context=context, domain_id=taken.number)
    try:
        yield settled(rclpy.create_node("looking", context=context), 300.0)
    finally:
        context.try_shutdown()
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)
        taken.release()


def test_the_page_and_the_policies_are_what_the_graph_is(graph: Graph) -> None:
    assert renew(PAGE, parts(graph), check=True), AGAIN
    assert policies(graph) == POLICIES.read_text(), AGAIN


def test_policies_name_exactly_what_each_node_uses(graph: Graph) -> None:
    enclaves = {e.get("path"): e for e in ElementTree.parse(POLICIES).getroot().iter("enclave")}
    assert set(enclaves) == set(ENCLAVES.values()) and set(graph) == {*NODES, "operator"}
    for name, ends in graph.items():
        profile = enclaves[ENCLAVES[name]].find("profiles/profile")
        assert profile is not None and profile.get("node") == name
        for rule, used in (
            ("topics[@publish='ALLOW']", ends.publishes), ("topics[@subscribe='ALLOW']", ends.subscribes),
            ("services[@reply='ALLOW']", ends.offers), ("services[@request='ALLOW']", ends.asks),
        ):  # fmt: skip
            assert {entry.text for entry in profile.findall(f"{rule}/*")} == set(used)


def test_only_the_commander_says_setpoints_and_all_names_are_known(graph: Graph) -> None:
    speakers = [name for name, ends in graph.items() if "/cf1/cmd_full_state" in ends.publishes]
    assert speakers == [topics.COMMANDER_NODE]
    known = {value for value in vars(topics).values() if isinstance(value, str)}
    ours = {t for n in NODES[:-1] for t in (*graph[n].publishes, *graph[n].subscribes) if "deqmpc" in t}
    known |= set(graph["crazyflie_server"].publishes)
    assert {t for t in ours if not t.endswith("transition_event")} <= known


def test_the_launch_files_use_the_enclaves_of_the_policies() -> None:
    text = (Path(ROOT) / "src/deqmpc/deqmpc/bringup.py").read_text()
    assert all(f'"{path}"' in text for name, path in ENCLAVES.items() if name != "operator")
