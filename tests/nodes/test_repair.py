"""Bags that a kill left open: what is whole in them opens again, and garbage is named."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from std_msgs.msg import String

from deqmpc_core.errors import DataError
from deqmpc_policy_node.bag import BagWriter
from deqmpc_train.data.repair import broken_bags, repair
from deqmpc_train.verbs import data as verb

COUNT, CHUNK = 60, 10


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A bag as a kill leaves it, and its file's bytes: the last chunk was on its way."""
    folder = tmp_path_factory.mktemp("killed")
    bag = BagWriter(folder / "bag", {"seed": "3"})
    bag.add_topic("/said", "std_msgs/msg/String", "[]")
    for number in range(COUNT):
        bag.write("/said", 10**9 + number, serialize_message(String(data=f"{number}")))
        if number % CHUNK == CHUNK - 1:
            bag.flush()
    left = bag.abandon()
    return left, (left / "bag_0.mcap").read_bytes()


def put(folder: Path, killed: Path, data: bytes) -> Path:
    bag = folder / "bag.active"
    shutil.rmtree(folder, ignore_errors=True)
    bag.mkdir(parents=True)
    shutil.copy(killed / "metadata.yaml", bag)
    (bag / "bag_0.mcap").write_bytes(data)
    return bag


def numbers(bag: Path) -> list[int]:
    with AnyReader([bag]) as reader:
        return [int(reader.deserialize(d, c.msgtype).data) for c, _, d in reader.messages()]  # type: ignore[attr-defined]


FLIPS = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(1, 255)), max_size=2)


@settings(deadline=None, max_examples=50)
@given(share=st.floats(0.0, 1.0), flips=FLIPS)
def test_a_cut_or_damaged_bag_yields_what_came_before(
    share: float, flips: list[tuple[float, int]], killed: tuple[Path, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """Any length, up to two wrong bytes: a prefix of the messages, all chunks before the damage, or one
    sentence."""
    whole = killed[1]
    length = round(share * len(whole))
    data, first = bytearray(whole[:length]), length
    for place, change in flips if length else ():
        at = min(int(place * length), length - 1)
        data[at] ^= change
        first = min(first, at)
    bag = put(tmp_path_factory.getbasetemp() / "cut", killed[0], bytes(data))
    try:
        done = repair(bag)
    except DataError as error:
        assert first < 8 and "not an MCAP file" in str(error) and bag.is_dir()
        return
    found = numbers(done.bag) if done.messages else []
    assert found == list(range(len(found))) and len(found) == done.messages
    assert not bag.exists() and not list(done.bag.glob("*.new"))
    if first == len(whole):
        assert len(found) == COUNT
    notes = yaml.safe_load((done.bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert notes["message_count"] == len(found) and notes["custom_data"]["seed"] == "3"
    assert "cut off" in notes["custom_data"]["repaired"]


def test_every_flushed_chunk_survives_a_cut_behind_it(killed: tuple[Path, bytes], tmp_path: Path) -> None:
    counts = []
    for length in range(0, len(killed[1]) + 1, 199):
        counts.append(repair(put(tmp_path / "cut", killed[0], killed[1][:length])).messages)
    assert counts == sorted(counts) and set(counts) <= set(range(0, COUNT + 1, CHUNK))
    assert len(set(counts)) > COUNT // CHUNK // 2


def test_the_verb_repairs_below_a_folder_and_names_what_it_cannot(
    killed: tuple[Path, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = put(tmp_path / "a", killed[0], killed[1])
    (good / "metadata.yaml").write_text("rosbag2_bagfile_information: [1, 2")
    (good / "ballast").write_bytes(b"\0" * 100)
    put(tmp_path / "b", killed[0], b"garbage!")
    shutil.copytree(put(tmp_path / "c", killed[0], killed[1]), tmp_path / "c" / "bag")
    (tmp_path / "d.active").mkdir()
    assert verb.main(["repair", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert f"{tmp_path}/a/bag: {COUNT} messages, cut off while it was recorded" in told
    for reason in ("is not an MCAP file", "that exists", "expected one .mcap file, got 0"):
        assert reason in told
    assert numbers(tmp_path / "a" / "bag") == list(range(COUNT))
    assert sorted(path.name for path in (tmp_path / "a" / "bag").iterdir()) == ["bag_0.mcap", "metadata.yaml"]
    assert verb.main(["repair", str(tmp_path / "a" / "bag")]) == 0
    assert "nothing was wrong" in capsys.readouterr().out
    assert verb.main(["repair", str(tmp_path / "nowhere")]) == 1


def test_a_bag_that_is_still_recorded_is_left_alone(tmp_path: Path) -> None:
    bag = BagWriter(tmp_path / "bag", {})
    assert broken_bags([tmp_path]) == [tmp_path / "bag.active"]
    with pytest.raises(DataError, match="still being recorded"):
        repair(tmp_path / "bag.active")
    bag.close()
    assert broken_bags([tmp_path]) == []
