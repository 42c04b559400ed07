"""Faults planted among the facts: each is found, named, and comes with a remedy; sound facts find nothing."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deqmpc.doctor import bundles, compiler, discovery, graph, kernels, packages, python, ros
from deqmpc.doctor.finding import Finding, Level, report
from deqmpc.doctor.graph import End, Graph, Wanted
from deqmpc.doctor.listening import configured, wanted_bodies
from deqmpc_core.errors import ConfigError

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault

POSES, KIND = "/rigid_bodies", "mocap4r2_msgs/msg/RigidBodies"
INTERPRETER = python.Interpreter((3, 11), "python3", "Linux x86_64", 10**11)
NEED = packages.Need("numba", ">=0.61", "deqmpc_core", "0.68.1", True)
KERNEL = kernels.Kernel("crazyflie_T5_augmented_lagrangian", True, True, True, 3)
CACHE = kernels.Cache(Path("/home/me/kernels"), Path("/home/me/kernels"), 10**8, (KERNEL,))
ROS = ros.Ros(Path("/venv/rclpy"), True, (), {"LD_LIBRARY_PATH": "/venv/lib"}, Path("/venv"))
BUNDLE = bundles.Bundle("crazyflie-deq", "ab" * 32, 1e-7)
GRAPH = Graph(
    "7", ("deqmpc_policy", "mocap"), (End("mocap", POSES, KIND),), (End("deqmpc_policy", POSES, KIND),),
    {POSES: 100.0}, {POSES: frozenset({"cf1", "07"})}, (Wanted("deqmpc_policy", POSES, "cf1"),), (), 3.0,
)  # fmt: skip


def with_ends(publisher: dict[str, Any], subscription: dict[str, Any], **changed: Any) -> Graph:
    ends = (replace(GRAPH.publishers[0], **publisher),), (replace(GRAPH.subscriptions[0], **subscription),)
    return replace(GRAPH, publishers=ends[0], subscriptions=ends[1], **changed)


def with_kernel(**changed: Any) -> kernels.Cache:
    return replace(CACHE, kernels=(replace(KERNEL, **changed),))


def in_environment(**values: str) -> ros.Ros:
    return replace(ROS, environment={**ROS.environment, **values})


SOUND = [
    python.check(INTERPRETER), packages.check([NEED]), compiler.check(compiler.Tools((), True)),
    kernels.check(CACHE), bundles.check([BUNDLE]), ros.check(ROS), discovery.check(discovery.Heard("7", 0.8)),
    graph.check(GRAPH),
]  # fmt: skip
W, E = Level.WARNING, Level.ERROR
PLANTED = {
    "wrong Python": (python.check(replace(INTERPRETER, version=(3, 9))), E, "Python 3.9"),
    "a full disk": (python.check(replace(INTERPRETER, free=10**8)), W, "0.1 GiB"),
    "a missing package": (
        packages.check([NEED, replace(NEED, name="mcap", found=None, fits=False)]), E,
        "'mcap' is not installed",
    ),
    "a wrong version": (packages.check([replace(NEED, found="0.50", fits=False)]), E, "needs >=0.61"),
    "no compiler": (compiler.check(compiler.Tools(("g++",), True)), W, "no g++"),
    "no compiler, nothing built": (compiler.check(compiler.Tools(("g++",), False)), E, "cannot be built"),
    "a stale cache": (kernels.check(with_kernel(present=False, compiled=False, code=False)), W, "stale"),
    "a cold cache": (kernels.check(with_kernel(present=False, code=False, older=0)), W, "not compiled yet"),
    "lost machine code": (kernels.check(with_kernel(code=False)), W, "machine code is gone"),
    "an unwritable cache": (
        kernels.check(replace(CACHE, used=Path("/tmp/k"))), W,
        "cannot write to /home/me",
    ),
    "a corrupt bundle": (
        bundles.check([replace(BUNDLE, trouble="cannot read it")]), E,
        "crazyflie-deq: cannot",
    ),
    "a wrong distribution": (ros.check(in_environment(ROS_DISTRO="humble")), E, "'humble'"),
    "a mixed environment": (
        ros.check(in_environment(PYTHONPATH="/opt/ros/jazzy/lib")), E,
        "mixed: /opt/ros in PYTHONPATH",
    ),
    "another environment's libraries": (
        ros.check(in_environment(_ROS_WHEELS_BOOTSTRAP_COMPLETE="1", LD_LIBRARY_PATH="/other/lib")), E,
        "/venv/lib",
    ),
    "messages not built": (ros.check(replace(ROS, missing=("mocap4r2_msgs",))), E, "mocap4r2_msgs"),
    "a wild domain": (ros.check(in_environment(ROS_DOMAIN_ID="two")), E, "'two'"),
    "a missing middleware": (ros.check(replace(ROS, rmw=False)), E, "RMW_IMPLEMENTATION"),
    "no discovery": (discovery.check(discovery.Heard("7", None)), E, "do not find each other"),
    "a policy flown twice": (graph.check(replace(GRAPH, nodes=("deqmpc_policy",) * 2)), E, "more than one"),
    "best effort for reliable": (graph.check(with_ends({"reliable": False}, {})), E, "best effort"),
    "volatile for latched": (graph.check(with_ends({}, {"latched": True})), E, "transient local"),
    "no deadline offered": (graph.check(with_ends({}, {"deadline": 0.01})), E, "asked for 10 ms"),
    "two types on a topic": (graph.check(with_ends({"kind": "a/msg/B"}, {})), E, "a/msg/B"),
    "slow poses": (graph.check(replace(GRAPH, rates={POSES: 20.0})), W, "20 Hz"),
    "very slow poses": (graph.check(replace(GRAPH, rates={POSES: 5.0})), E, "5 Hz"),
    "a missed deadline": (
        graph.check(with_ends({"deadline": 0.01}, {"deadline": 0.01}, rates={POSES: 60.0})), W,
        "deadline of 10 ms",
    ),
    "no message": (graph.check(replace(GRAPH, rates={})), E, "no message came"),
    "no publisher": (graph.check(replace(GRAPH, publishers=())), E, f"nobody publishes {POSES}"),
    "an unknown body": (
        graph.check(replace(GRAPH, wanted=(Wanted("deqmpc_policy", POSES, "cf2"),))), E, "did you mean 'cf1'",
    ),
    "a node's own complaint": (
        graph.check(replace(GRAPH, complaints=(("ticks", "ERROR", "late"),))), E,
        "late",
    ),
}  # fmt: skip


def test_sound_facts_find_nothing() -> None:
    assert all(finding.level is Level.OK for findings in SOUND for finding in findings)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_named_with_its_remedy(fault: str) -> None:
    findings, level, words = PLANTED[fault]
    bad = [finding for finding in findings if finding.level in (W, E)]
    assert [finding.level for finding in bad] == [level], findings
    assert words in bad[0].text and bad[0].remedy


def test_without_ros_it_says_what_it_skipped() -> None:
    alone = ros.check(replace(ROS, rclpy=None, wheels=False))
    assert [finding.level for finding in alone] == [Level.SKIPPED] and "training" in alone[0].text
    quiet = graph.check(Graph("7", ("other",)))
    assert [finding.level for finding in quiet] == [Level.SKIPPED]


def test_bodies_are_wanted_as_the_nodes_want_them(tmp_path: Path) -> None:
    file = tmp_path / "hw.yaml"
    file.write_text(
        "deqmpc_policy:\n  ros__parameters: {pose_source: named_pose_array, body: ''}\n"
        "deqmpc_commander:\n  ros__parameters: {pose_topic: /vrpn/x/pose, body: '7'}\n"
        "deqmpc_mocap_bridge:\n  ros__parameters: {names: '1:cf1, 2:cf2'}\n"
    )
    wanted = [(w.topic, w.body) for w in wanted_bodies(configured(file, "cf9"))]
    assert wanted == [("/poses", "cf9"), ("/vrpn/x/pose", "7"), (POSES, "1"), (POSES, "2")]
    file.write_text("deqmpc_policy: 3\n")
    with pytest.raises(ConfigError, match="no parameter file"):
        configured(file, "cf9")


@RELAXED
@given(st.lists(st.sampled_from(Level)))
def test_the_report_is_sound_without_an_error_only(levels: list[Level]) -> None:
    findings = [Finding("check", level, "text") for level in levels]
    document = report(findings)
    assert document["sound"] == all(finding.level is not E for finding in findings)
    assert sum(document["counts"].values()) == len(findings) == len(document["findings"])


QOS = st.builds(End, st.just("n"), st.just("/t"), st.just("k"), st.booleans(), st.booleans(),
                st.sampled_from([0.01, 0.1, math.inf]))  # fmt: skip


@RELAXED
@given(QOS, QOS)
def test_mismatches_are_those_of_the_middleware(publisher: End, subscription: End) -> None:
    """rclpy has the rule of DDS in C."""
    qos = pytest.importorskip("rclpy.qos", reason="'rclpy' is not installed (make build)")
    duration = pytest.importorskip("rclpy.duration").Duration

    def profile(end: End) -> Any:
        return qos.QoSProfile(
            depth=1,
            reliability=qos.ReliabilityPolicy.RELIABLE if end.reliable else qos.ReliabilityPolicy.BEST_EFFORT,
            durability=qos.DurabilityPolicy.TRANSIENT_LOCAL if end.latched else qos.DurabilityPolicy.VOLATILE,
            deadline=duration(nanoseconds=0 if math.isinf(end.deadline) else int(1e9 * end.deadline)),
        )

    compatible, _ = qos.qos_check_compatible(profile(publisher), profile(subscription))
    assert (compatible == qos.QoSCompatibility.ERROR) == bool(graph.mismatches(publisher, subscription))
