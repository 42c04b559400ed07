"""Bags open with rosbags, carry the hashes of the released messages, and survive a kill."""

from pathlib import Path

import pytest
import yaml
from crazyflie_interfaces.msg import FullState
from mcap.exceptions import McapError
from mcap.stream_reader import StreamReader
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.bag import BagWriter
from deqmpc_policy_node.definitions import message_definition, type_hash

HASHES = {
    "crazyflie_interfaces/msg/FullState": "bd2e17994c6bec891c6ea8232010a47ecd291bc282ef452814229fd9297ba56f",
    "crazyflie_interfaces/msg/Status": "ff5d15767a9840ce663a6d80e7e9eb187929cb7e0ce597f9eaead0402c3f44b9",
    "mocap4r2_msgs/msg/RigidBodies": "1f2d74f2a1706c59639a2349b7be91e9e4d751fad6fc3048c59d8f1f0576ea70",
    "std_msgs/msg/String": "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
}


@pytest.mark.parametrize("name", HASHES)
def test_hashes_are_those_of_the_released_packages(name: str) -> None:
    assert type_hash(name) == f"RIHS01_{HASHES[name]}"


def test_a_definition_brings_everything_it_refers_to() -> None:
    text = message_definition("mocap4r2_msgs/msg/RigidBodies")
    for name in ("mocap4r2_msgs/RigidBody", "mocap4r2_msgs/Marker", "geometry_msgs/Pose", "std_msgs/Header"):
        assert text.count(f"MSG: {name}\n") == 1
    with pytest.raises(ConfigError, match="no_such_msgs"):
        message_definition("no_such_msgs/msg/Thing")


def _bodies(number: int) -> bytes:
    return serialize_message(RigidBodies(frame_number=number, rigidbodies=[RigidBody(rigid_body_name="cf1")]))


def _write(directory: Path, count: int) -> BagWriter:
    bag = BagWriter(directory, {"seed": "3"})
    bag.add_topic("/rigid_bodies", "mocap4r2_msgs/msg/RigidBodies", "[]")
    bag.add_topic("/cf1/cmd_full_state", "crazyflie_interfaces/msg/FullState", "[]")
    for number in range(count):
        bag.write("/rigid_bodies", 1_000_000_000 + number, _bodies(number))
    bag.write("/cf1/cmd_full_state", 2_000_000_000, serialize_message(FullState()))
    return bag


def test_rosbags_reads_what_was_written(tmp_path: Path) -> None:
    path = _write(tmp_path / "bag", 20).close()
    assert not (tmp_path / "bag.active").exists()
    with AnyReader([path]) as reader:
        digests = {c.msgtype: c.digest for c in reader.connections}
        assert digests == {name: f"RIHS01_{HASHES[name]}" for name in digests} and len(digests) == 2
        bodies = [c for c in reader.connections if c.topic == "/rigid_bodies"]
        numbers = [reader.deserialize(d, c.msgtype).frame_number for c, _, d in reader.messages(bodies)]  # type: ignore[attr-defined]
    assert numbers == list(range(20))
    information = yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["version"] == 9 and information["message_count"] == 21
    assert information["custom_data"] == {"seed": "3"}


def test_what_was_flushed_is_there_after_a_kill(tmp_path: Path) -> None:
    bag = _write(tmp_path / "bag", 20)
    bag.flush()
    bag.write("/rigid_bodies", 3_000_000_000, _bodies(99))
    found = []
    with (tmp_path / "bag.active" / "bag_0.mcap").open("rb") as stream:
        with pytest.raises(McapError):
            for record in StreamReader(stream).records:
                found += [record] if type(record).__name__ == "Message" else []
    assert len(found) == 21
    bag.close()


def test_an_old_bag_is_never_overwritten(tmp_path: Path) -> None:
    _write(tmp_path / "bag", 1).close()
    with pytest.raises(ConfigError, match="exists already"):
        BagWriter(tmp_path / "bag", {})
