"""`deqmpc doctor` beside a running graph whose faults it must name."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy

from deqmpc.doctor import graph, listening
from deqmpc.verbs.doctor import main

pytestmark = pytest.mark.ros
BEST_EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def faulty(domain: int) -> Iterator[None]:
    """A node that goes by the policy's name and asks for reliable poses of cf1; motion capture that says cf7,
    best effort, five times a second."""
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    policy = rclpy.create_node("deqmpc_policy", context=context)
    for name, value in (("robot", "cf1"), ("body", ""), ("pose_source", "rigid_bodies"), ("pose_topic", "")):
        policy.declare_parameter(name, value)
    policy.create_subscription(RigidBodies, "/rigid_bodies", lambda _: None, 10)
    mocap = rclpy.create_node("mocap", context=context)
    poses = mocap.create_publisher(RigidBodies, "/rigid_bodies", BEST_EFFORT)
    frame = RigidBodies(rigidbodies=[RigidBody(rigid_body_name="cf7")])
    mocap.create_timer(0.2, lambda: poses.publish(frame))
    executor = SingleThreadedExecutor(context=context)
    for node in (policy, mocap):
        executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor,))
    thread.start()
    yield
    executor.shutdown()
    context.try_shutdown()
    thread.join()


def _spin(executor: Any) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return


def test_faults_of_a_graph_are_named(faulty: None, tmp_path: Path) -> None:
    del faulty
    file = tmp_path / "out.json"
    assert main(["--policies", "pendulum-expert", "--seconds", "1", "--json", str(file)]) == 1
    found = json.loads(file.read_text())["findings"]
    told = [f"{f['level']} {f['check']}: {f['text']}" for f in found]
    for words in (
        "ok DDS discovery: two processes found each other",
        "ok nodes: deqmpc_policy in domain",
        "error QoS: /rigid_bodies: mocap offers best effort, asked for reliable by deqmpc_policy",
        "error rates: /rigid_bodies: 5 Hz",
        "error mocap names: deqmpc_policy, on /rigid_bodies: unknown body 'cf1'; did you mean 'cf7'",
    ):
        assert any(line.startswith(words) for line in told), words + "\n" + "\n".join(told)


def test_a_silent_room_and_a_parameter_file(
    domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No node of ours: the bodies of a parameter file are looked for, and nobody publishes them."""
    del domain
    monkeypatch.setattr(listening, "SETTLE", 0.3)
    assert [f.level.value for f in graph.check(listening.gather(0.1, None, "cf1"))] == ["skipped"]
    file = tmp_path / "hw.yaml"
    file.write_text("deqmpc_policy:\n  ros__parameters: {body: '7'}\n")
    found = graph.check(listening.gather(0.1, file, "cf1"))
    assert any("nobody publishes /rigid_bodies" in f.text for f in found)
