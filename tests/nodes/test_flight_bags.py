"""One bag a flight: nothing between two is lost, and a full disk ends the recording with a whole bag."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from std_msgs.msg import String

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node import stream
from deqmpc_policy_node.bag import BALLAST_SIZE
from deqmpc_policy_node.flight_bags import PRE_ROLL, FlightBags
from deqmpc_policy_node.flight_watch import LINGER, FlightWatch

SECOND = 1_000_000_000


def text(data: str) -> bytes:
    return serialize_message(String(data=data))


def bags_in(folder: Path, one_a_flight: bool = True) -> FlightBags:
    bags = FlightBags(folder / "bag", {"policy": "goal-mpc"}, one_a_flight)
    bags.add_topic("/said", "std_msgs/msg/String", "[]", latched=False)
    bags.add_topic("/obstacles", "std_msgs/msg/String", "[]", latched=True)
    return bags


def told(bag: Path, topic: str) -> list[str]:
    with AnyReader([bag]) as reader:
        wanted = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(d, c.msgtype).data for c, _, d in reader.messages(wanted)]  # type: ignore[attr-defined]


def say(bags: FlightBags, t: float) -> None:
    bags.write("/said", round(t * SECOND) + 1, text(f"{t:g}"), t)


def test_every_flight_has_a_bag_with_what_went_before(tmp_path: Path) -> None:
    bags = bags_in(tmp_path)
    bags.write("/obstacles", 1, text("forty spheres"), 0.0)
    for t in range(40):
        phase = {3: "TAKEOFF", 5: "LANDED", 20: "TAKEOFF", 23: "FAULT", 24: "TAKEOFF", 30: "IDLE"}.get(t)
        if phase:
            bags.watch.on_phase(phase, float(t))
        say(bags, float(t))
        bags.tend(float(t))
    bags.close()
    assert [path.name for path in bags.finished] == ["bag", "bag_2", "bag_3"]
    first, second, third = (told(path, "/said") for path in bags.finished)
    assert first == [f"{t}" for t in range(7)]  # two seconds after it came down
    assert second == [f"{t}" for t in range(14, 24)]  # five seconds before the last message on the ground
    assert third == [f"{t}" for t in range(24, 32)]  # at once: the flight before had not ended
    assert all(told(path, "/obstacles") == ["forty spheres"] for path in bags.finished)
    notes = yaml.safe_load((bags.finished[2] / "metadata.yaml").read_text())
    assert notes["rosbag2_bagfile_information"]["custom_data"] == {"policy": "goal-mpc"}


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("phase"), st.sampled_from(["IDLE", "TAKEOFF", "POLICY", "LANDED", "FAULT", "?"])),
        st.tuples(st.just("verdict"), st.none()),
        st.tuples(st.just("step"), st.integers(0, 100)),
        st.tuples(st.just("say"), st.none()),
        st.tuples(st.just("wait"), st.floats(0.0, 8.0)),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=40)
@given(events=EVENTS)
def test_no_message_is_in_two_bags_or_out_of_order(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, Any]]
) -> None:
    """Whatever commander and simulator say: bags partition what was recorded, minus old pre-roll."""
    bags, t, said = bags_in(tmp_path_factory.mktemp("bags")), 0.0, 0
    for kind, value in events:
        t += value if kind == "wait" else 0.01
        if kind == "phase":
            bags.watch.on_phase(value, t)
        elif kind == "verdict":
            bags.watch.on_verdict(t)
        elif kind == "step":
            bags.watch.on_step(value)
        said += 1
        bags.write("/said", round(t * SECOND) + 1, text(f"{said}"), t)
        bags.tend(t)
    bags.close()
    assert not bags.fault
    numbers = [int(n) for path in bags.finished for n in told(path, "/said")]
    assert numbers == sorted(set(numbers))


def test_the_end_of_a_flight_in_lock_step_waits_for_quiet() -> None:
    watch = FlightWatch()
    watch.on_step(0)
    watch.on_phase("TAKEOFF", 0.0)
    watch.on_phase("LANDED", 1.0)
    watch.on_verdict(1.0)
    assert not watch.turn(100.0, 3) and watch.turn(100.0, 4) and not watch.wanted
    watch.on_step(0)
    assert not watch.wanted
    watch.on_step(20), watch.on_step(0)
    assert watch.wanted and not watch.turn(101.0, 0)
    assert PRE_ROLL == 5 * SECOND and LINGER == 2.0


class Disk:
    """A disk with so many bytes left; the ballast's are among those taken until it is removed."""

    def __init__(self, left: int, ballast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left, self._ballast, self._write = left, ballast, os.write
        monkeypatch.setattr(stream.os, "write", self.write)

    def write(self, descriptor: int, data: Any) -> int:
        room = self._left + (0 if self._ballast.exists() else BALLAST_SIZE)
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(descriptor, data[:room])
        self._left -= written
        return written


def test_a_full_disk_ends_the_recording_with_a_whole_bag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bags = bags_in(tmp_path, one_a_flight=False)
    Disk(20_000, tmp_path / "bag.active" / "ballast", monkeypatch)
    said = 0
    while not bags.fault and said < 10_000:
        said += 1
        bags.write("/said", said, text(f"{said} {os.urandom(100).hex()}"), said / 10)
        bags.tend(said / 10)
    assert "No space" in bags.fault or "full" in bags.fault
    assert bags.finished == [tmp_path / "bag"] and str(tmp_path / "bag") in bags.fault
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == ["bag_0.mcap", "metadata.yaml"]
    numbers = [int(line.split()[0]) for line in told(tmp_path / "bag", "/said")]
    assert numbers == list(range(1, said + 1))
    say(bags, 2000.0)
    bags.tend(2000.0)
    bags.close()


def test_a_disk_that_takes_nothing_leaves_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bags = FlightBags(tmp_path / "file" / "bag", {}, True)
    assert "recording has stopped" in bags.fault
    bags.add_topic("/said", "std_msgs/msg/String", "[]", latched=False)
    say(bags, 1.0)
    bags.close()
    bags_in(tmp_path).close()
    with pytest.raises(ConfigError, match="exists already"):
        bags_in(tmp_path)
