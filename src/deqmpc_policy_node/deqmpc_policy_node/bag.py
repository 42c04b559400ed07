"""A rosbag2 directory (MCAP, metadata version 9) written message by message so that a kill costs one second
at most.

rosbags' own writer leaves an empty file when killed; here every second ends a chunk, and the directory is
called <name>.active until it is whole.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import CompressionType, Writer

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.definitions import message_definition, type_hash

VERSION = 9


@dataclass
class _Topic:
    name: str
    type_name: str
    qos: str
    channel: int
    count: int = 0


class BagWriter:
    """Writes <directory>.active and renames it to <directory> on close()."""

    def __init__(self, directory: Path, provenance: dict[str, str]) -> None:
        self._final = directory
        self._active = directory.with_name(directory.name + ".active")
        if self._final.exists() or self._active.exists():
            raise ConfigError(f"the bag {directory} exists already; choose another directory or remove it")
        self._active.mkdir(parents=True)
        self._file_name = f"{directory.name}_0.mcap"
        self._stream = (self._active / self._file_name).open("wb")
        self._writer = Writer(self._stream, compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library="deqmpc")
        self._topics: dict[str, _Topic] = {}
        self._first = self._last = 0
        self._provenance = provenance
        self._write_metadata()

    @property
    def message_count(self) -> int:
        """Messages written so far."""
        return sum(topic.count for topic in self._topics.values())

    def add_topic(self, name: str, type_name: str, qos: str) -> None:
        """Announce a topic. qos: the offered profiles as rosbag2's YAML text."""
        if name in self._topics:
            return
        text = message_definition(type_name).encode()
        schema = self._writer.register_schema(type_name, SchemaEncoding.ROS2, text)
        metadata = {"offered_qos_profiles": qos, "topic_type_hash": type_hash(type_name)}
        channel = self._writer.register_channel(name, MessageEncoding.CDR, schema, metadata)
        self._topics[name] = _Topic(name, type_name, qos, channel)

    def write(self, name: str, received: int, data: bytes) -> None:
        """Store a serialised message, received at wall time `received` [ns]."""
        topic = self._topics[name]
        self._first = self._first or received
        self._last = max(self._last, received)
        self._writer.add_message(topic.channel, self._last, data, self._last, topic.count)
        topic.count += 1

    def flush(self) -> None:
        """End the chunk and bring metadata.yaml up to date."""
        self._writer.flush()
        self._write_metadata()

    def close(self) -> Path:
        """Finish the file and give the directory its final name."""
        self._writer.finish()
        self._stream.close()
        self._write_metadata()
        self._active.rename(self._final)
        return self._final

    def _write_metadata(self) -> None:
        temporary = self._active / "metadata.yaml.new"
        temporary.write_text(
            yaml.safe_dump({"rosbag2_bagfile_information": self._metadata()}, sort_keys=False)
        )
        temporary.rename(self._active / "metadata.yaml")

    def _metadata(self) -> dict[str, object]:
        return {
            "version": VERSION,
            "storage_identifier": "mcap",
            **self._extent(),
            "topics_with_message_count": [_topic_entry(topic) for topic in self._topics.values()],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [self._file_name],
            "files": [{"path": self._file_name, **self._extent()}],
            "custom_data": self._provenance,
            "ros_distro": "jazzy",
        }

    def _extent(self) -> dict[str, object]:
        return {
            "duration": {"nanoseconds": self._last - self._first},
            "starting_time": {"nanoseconds_since_epoch": self._first},
            "message_count": self.message_count,
        }


def _topic_entry(topic: _Topic) -> dict[str, object]:
    return {
        "topic_metadata": {
            "name": topic.name,
            "type": topic.type_name,
            "serialization_format": "cdr",
            "offered_qos_profiles": yaml.safe_load(topic.qos) or [],
            "type_description_hash": type_hash(topic.type_name),
        },
        "message_count": topic.count,
    }
