"""A rosbag2 directory (MCAP, metadata version 9) written message by message so that a kill costs one second
at most.

rosbags' own writer leaves an empty file when killed; here every flush ends a chunk, and the directory is
called <name>.active until it is whole. `deqmpc data repair` closes what a kill left.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import yaml
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap.writer import CompressionType, Writer

from deqmpc_core.bag_metadata import ACTIVE, BALLAST, METADATA, TopicFacts, bag_metadata
from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.definitions import message_definition, type_hash
from deqmpc_policy_node.stream import BallastedFile

BALLAST_SIZE = 4 * 2**20
"""Bytes kept free for closing: more than a chunk and the index of a long flight."""


@dataclass
class _Topic:
    name: str
    type_name: str
    qos: str
    channel: int
    count: int = 0

    def facts(self) -> TopicFacts:
        qos = yaml.safe_load(self.qos) or []
        return TopicFacts(self.name, self.type_name, type_hash(self.type_name), qos, self.count)


class BagWriter:
    """Writes <directory>.active and renames it to <directory> on close()."""

    def __init__(self, directory: Path, provenance: Mapping[str, str]) -> None:
        """Raises ConfigError when there is such a bag, OSError when it cannot be made."""
        self._final = directory
        self._active = directory.with_name(directory.name + ACTIVE)
        if self._final.exists() or self._active.exists():
            raise ConfigError(f"the bag {directory} exists already; choose another directory or remove it")
        self._active.mkdir(parents=True)
        self._file_name = f"{directory.name}_0.mcap"
        path = self._active / self._file_name
        self._stream = BallastedFile(path, self._active / BALLAST, BALLAST_SIZE)
        self._writer = Writer(cast(IO[Any], self._stream), compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library="deqmpc")
        self._topics: dict[str, _Topic] = {}
        self._first = self._last = self._topics_told = 0
        self._provenance = dict(provenance)
        self._write_metadata()

    @property
    def path(self) -> Path:
        """Where the bag is written at the moment."""
        return self._active

    @property
    def message_count(self) -> int:
        """Messages written so far."""
        return sum(topic.count for topic in self._topics.values())

    @property
    def size(self) -> int:
        """Bytes on the disk so far."""
        return self._stream.tell()

    @property
    def full(self) -> bool:
        """The disk is full: nothing is lost yet, but the bag must be closed now."""
        return self._stream.full

    def add_topic(self, name: str, type_name: str, qos: str) -> None:
        """Announce a topic. qos: the offered profiles as rosbag2's YAML text.

        Raises ConfigError when the type's definition is not installed.
        """
        if name in self._topics:
            return
        text, digest = message_definition(type_name).encode(), type_hash(type_name)
        schema = self._writer.register_schema(type_name, SchemaEncoding.ROS2, text)
        metadata = {"offered_qos_profiles": qos, "topic_type_hash": digest}
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
        """End the chunk; tell metadata.yaml of new topics. Its counts wait for the end: they cost more than
        the chunk, and `deqmpc data repair` counts anew."""
        self._writer.flush()
        if not self.full and len(self._topics) != self._topics_told:
            self._write_metadata()

    def close(self) -> Path:
        """Finish the file and give the directory its final name."""
        self._writer.finish()
        self._stream.close()
        self._write_metadata()
        self._active.rename(self._final)
        return self._final

    def abandon(self) -> Path:
        """Let go of the file as it is, without raising: `deqmpc data repair` can still close it."""
        with contextlib.suppress(OSError):
            self._stream.close()
        return self._active

    def _write_metadata(self) -> None:
        facts = [topic.facts() for topic in self._topics.values()]
        document = bag_metadata(self._file_name, facts, self._first, self._last, self._provenance)
        temporary = self._active / f"{METADATA}.new"
        temporary.write_text(yaml.safe_dump(document, sort_keys=False))
        temporary.rename(self._active / METADATA)
        self._topics_told = len(self._topics)
