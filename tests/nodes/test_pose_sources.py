"""Poses from every kind of message, and the bridge to the robot's server."""

import math
import time
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Pose, PoseStamped
from hypothesis import given
from hypothesis import strategies as st
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from motion_capture_tracking_interfaces.msg import NamedPose, NamedPoseArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.bridge import Bridge, is_pose, parse_names, values_of
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.diagnostics import OK, WARN
from deqmpc_policy_node.nodes.mocap_bridge import BridgeParameters, MocapBridge
from deqmpc_policy_node.pose_sources import (
    KINDS,
    PoseSourceParameters,
    PoseSubscription,
    frame_of_named_poses,
    frame_of_pose,
    frame_of_rigid_bodies,
)
from deqmpc_policy_node.qos import EVERY, LATEST, with_deadline

BASE = TimeBase(lock_step=True)
ANY = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
FRAMES = st.lists(st.tuples(NAMES, st.tuples(*[ANY] * 7)), max_size=5)


@pytest.fixture(autouse=True)
def checked_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PYTHON_CHECK_FIELDS", "1")


def pose(values: tuple[float, ...]) -> Pose:
    made = Pose()
    made.position.x, made.position.y, made.position.z = values[:3]
    q = made.orientation
    q.x, q.y, q.z, q.w = values[3:]
    return made


def header(milliseconds: int, frame: str = "map") -> Header:
    return Header(stamp=BASE.stamp(milliseconds / 1e3), frame_id=frame)


def bodies(entries: Any, number: int = 9) -> RigidBodies:
    made = [RigidBody(rigid_body_name=name, pose=pose(values)) for name, values in entries]
    return RigidBodies(header=header(1250), frame_number=number, rigidbodies=made)


@given(entries=FRAMES, wanted=NAMES)
def test_all_kinds_tell_the_same_poses(entries: Any, wanted: str) -> None:
    """Whatever is in a message: no error, and the first body of that name with its numbers as they came."""
    entries = [(name or "x", values) for name, values in entries]
    rigid = frame_of_rigid_bodies(bodies(entries), 1, BASE)
    named = frame_of_named_poses(
        NamedPoseArray(header=header(1250), poses=[NamedPose(name=n, pose=pose(v)) for n, v in entries]),
        9, BASE,
    )  # fmt: skip
    for frame in (rigid, named):
        assert (frame.stamp, frame.frame_number, frame.frame_id) == (1.25, 9, "map")
        assert frame.names == {name for name, _ in entries}
        sample = frame.sample(wanted)
        exact = [values for name, values in entries if name == wanted]
        if exact and not wanted.isdigit():
            assert sample is not None
            np.testing.assert_array_equal(np.concatenate([sample.position, sample.quaternion]), exact[0])
        if sample is None:
            assert not exact


@given(values=st.tuples(*[ANY] * 7), wanted=NAMES)
def test_a_single_pose_is_that_of_the_wanted_body(values: tuple[float, ...], wanted: str) -> None:
    frame = frame_of_pose(PoseStamped(header=header(20, "world"), pose=pose(values)), 5, BASE)
    sample = frame.sample(wanted)
    assert sample is not None and (sample.stamp, sample.frame_number) == (0.02, 5)
    np.testing.assert_array_equal(np.concatenate([sample.position, sample.quaternion]), values)


def test_a_number_finds_the_streaming_id() -> None:
    frame = frame_of_rigid_bodies(bodies([("12", (0.0,) * 7), ("1", (1.0,) * 7)]), 0, BASE)
    assert all(s is not None and s.position[0] == 1.0 for s in (frame.sample("1"), frame.sample("01")))
    assert all(frame.sample(other) is None for other in ("", "cf1", "²", "2" * 5000))


def test_a_nameless_body_is_nobody_and_the_exact_name_wins() -> None:
    entries = [("", (0.0,) * 7), ("07", (1.0,) * 7), ("7", (2.0,) * 7)]
    named = NamedPoseArray(header=header(1), poses=[NamedPose(name=n, pose=pose(v)) for n, v in entries])
    for frame in (frame_of_rigid_bodies(bodies(entries), 0, BASE), frame_of_named_poses(named, 0, BASE)):
        exact, number = frame.sample("7"), frame.sample("007")
        assert exact is not None and exact.position[0] == 2.0
        assert number is not None and number.position[0] == 1.0
        assert frame.sample("cf1") is None


@pytest.mark.parametrize(
    ("words", "message"),
    [({"pose_source": "tf"}, "rigid_bodies, named"), ({"pose_source": "pose_stamped"}, "pose_topic")],
)
def test_a_source_that_cannot_be_is_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PoseSourceParameters(**words)


@given(entries=st.lists(FRAMES, max_size=20), frozen=st.integers(0, 3))
def test_the_bridge_lets_only_poses_through(entries: Any, frozen: int) -> None:
    bridge = Bridge({}, frozen)
    for number, frame in enumerate(entries):
        out = bridge.convert(header(number), [(name, pose(values)) for name, values in frame])
        told = [] if out is None else [(p.name, values_of(p.pose)) for p in out.poses]
        assert all(is_pose(values) for _, values in told)
        if not frozen:
            assert told == [(name, values) for name, values in frame if name and is_pose(values)]
        if out is not None:
            back = deserialize_message(serialize_message(out), NamedPoseArray)
            assert back.header == header(number) and back.poses


def test_names_are_mapped_and_others_kept_out() -> None:
    bridge = Bridge(parse_names(["1:cf1", " 2 : cf2 "]), 0)
    level = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    out = bridge.convert(header(0), [(name, pose(level)) for name in ("2", "1", "table")])
    assert out is not None and [p.name for p in out.poses] == ["cf2", "cf1"]
    assert bridge.convert(header(0), [("table", pose(level))]) is None
    for bad in (["1"], ["1:"], [":cf1"], ["1:cf1", "1:cf2"], ["1:cf1", "2:cf1"]):
        with pytest.raises(ConfigError, match="names"):
            parse_names(bad)


def test_a_frozen_body_is_dropped_until_it_moves() -> None:
    bridge = Bridge({}, 3)
    still, moved = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), (1e-9, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    seen = [bridge.convert(header(k), [("cf1", pose(still))]) is not None for k in range(5)]
    assert seen == [True, True, True, False, False] and bridge.dropped == 2
    assert bridge.convert(header(6), [("cf1", pose(moved))]) is not None
    assert not is_pose((math.nan,) * 7)


def test_a_body_that_leaps_is_dropped_until_it_is_back() -> None:
    bridge = Bridge({}, 0, fastest=10.0)
    places = [0.0, 0.01, 1.0, 1.01, 0.02]
    seen = [
        bridge.convert(header(10 * k), [("cf1", pose((x, 0, 1, 0, 0, 0, 1)))])
        for k, x in enumerate(places)
    ]
    assert [found is not None for found in seen] == [True, True, False, False, True]


@pytest.mark.ros
def test_the_server_is_matched_and_pose_sources_hear(domain: int) -> None:
    """A reader that asks for 10 ms, best effort, depth 1, as Crazyswarm2's server does."""
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    node = rclpy.create_node("bridge", context=context)
    bridge = MocapBridge(node, BridgeParameters(names="1:cf1"))
    assert bridge._health().level == WARN and "no server listens to /poses" in bridge._health().message
    heard: list[NamedPoseArray] = []
    frames: list[Any] = []
    node.create_subscription(NamedPoseArray, "/poses", heard.append, with_deadline(LATEST, 0.01))
    parameters = [PoseSourceParameters(), PoseSourceParameters("named_pose_array")]
    sources = [PoseSubscription(node, p, BASE, False, frames.append) for p in parameters]
    with pytest.raises(ConfigError, match="lock-step"):
        PoseSubscription(node, parameters[1], BASE, True, frames.append)
    driver = node.create_publisher(RigidBodies, "/rigid_bodies", EVERY)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    deadline = time.monotonic() + 30.0
    names: set[str] = set()
    while not (heard and names == {"1", "cf1"}) and time.monotonic() < deadline:
        driver.publish(bodies([("1", (time.monotonic() % 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))]))
        executor.spin_once(timeout_sec=0.02)
        names = {name for frame in frames for name in frame.names}
    assert [p.name for p in heard[0].poses] == ["cf1"] and heard[0].header.frame_id == "map"
    assert names == {"1", "cf1"}
    assert bridge._health().level == OK and bridge._health().message == "heard by bridge"
    assert [source.senders for source in sources] == [1, 1] and len(KINDS) == 3
    executor.shutdown()
    context.try_shutdown()
