"""What is left of an MCAP file that was cut off: every message up to the first byte that does not fit."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from mcap.records import Channel, Footer, Message, Schema
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer

from deqmpc_core.bag_metadata import TopicFacts
from deqmpc_core.errors import DataError

MAGIC = b"\x89MCAP0\r\n"
_LONGEST_RECORD = 2**30
_LIBRARY = "deqmpc data repair"


@dataclass
class Salvage:
    """What was found. channels: topics by id, not counted yet; counts: messages by the same id; first and
    last receipt [ns]; whole: the file had its end; reason: why reading stopped before it."""

    channels: dict[int, TopicFacts] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    first: int = 0
    last: int = 0
    whole: bool = False
    reason: str = ""

    @property
    def messages(self) -> int:
        """Messages in all."""
        return sum(self.counts.values())

    @property
    def topics(self) -> list[TopicFacts]:
        """Topics with the number of their messages."""
        return [replace(topic, count=self.counts[key]) for key, topic in self.channels.items()]


def salvage(source: Path, target: Path) -> Salvage:
    """Copy what is sound of `source` into a finished MCAP file `target`.

    Chunks are checked by their CRC; a chunk that fails ends the copy. Raises DataError when `source` does not
    begin as an MCAP file does, OSError where the disk refuses.
    """
    _check_magic(source)
    with target.open("wb") as stream:
        writer = Writer(stream, compression=CompressionType.ZSTD)
        writer.start(profile="ros2", library=_LIBRARY)
        found = _copy(source, writer)
        writer.finish()
    return found


def read_salvage(source: Path) -> Salvage:
    """The same facts without a copy."""
    _check_magic(source)
    return _copy(source, None)


def _check_magic(source: Path) -> None:
    with source.open("rb") as stream:
        begin = stream.read(len(MAGIC))
    if begin != MAGIC[: len(begin)]:
        raise DataError(f"'{source}' is not an MCAP file: it begins with {begin!r}")


def _copy(source: Path, writer: Writer | None) -> Salvage:
    """A damaged file can make its reader fail in any way; the disk's own errors are passed on."""
    found = Salvage()
    copier = _Copier(found, writer)
    with source.open("rb") as stream:
        reader = StreamReader(stream, validate_crcs=True, record_size_limit=_LONGEST_RECORD)
        try:
            for record in reader.records:
                copier.take(record)
        except OSError:
            raise
        except Exception as error:
            found.reason = (str(error) or type(error).__name__).splitlines()[0]
    return found


class _Copier:
    """Takes records one by one. Ids are given anew: the writer counts its own."""

    def __init__(self, found: Salvage, writer: Writer | None) -> None:
        self._found, self._writer = found, writer
        self._schemas: dict[int, tuple[Schema, int]] = {}
        self._channels: dict[int, int] = {}

    def take(self, record: Any) -> None:
        """One record of any kind. Raises DataError when it refers to what never came."""
        if isinstance(record, Schema) and record.id not in self._schemas:
            copied = self._writer and self._writer.register_schema(record.name, record.encoding, record.data)
            self._schemas[record.id] = (record, copied or 0)
        elif isinstance(record, Channel) and record.id not in self._channels:
            self._take_channel(record)
        elif isinstance(record, Message):
            self._take_message(record)
        elif isinstance(record, Footer):
            self._found.whole = True

    def _take_channel(self, channel: Channel) -> None:
        if channel.schema_id not in self._schemas:
            raise DataError(f"channel {channel.topic} has no schema")
        schema, copied = self._schemas[channel.schema_id]
        profiles = yaml.safe_load(channel.metadata.get("offered_qos_profiles", "")) or []
        self._found.counts[channel.id] = 0
        self._found.channels[channel.id] = TopicFacts(
            channel.topic, schema.name, channel.metadata.get("topic_type_hash", ""), profiles, 0
        )
        made = self._writer and self._writer.register_channel(
            channel.topic, channel.message_encoding, copied, dict(channel.metadata)
        )
        self._channels[channel.id] = made or 0

    def _take_message(self, message: Message) -> None:
        found, time = self._found, message.log_time
        if message.channel_id not in self._channels:
            raise DataError(f"a message of channel {message.channel_id}, which never came")
        if self._writer is not None:
            channel = self._channels[message.channel_id]
            self._writer.add_message(channel, time, message.data, message.publish_time, message.sequence)
        found.first = min(found.first or time, time)
        found.last = max(found.last, time)
        found.counts[message.channel_id] += 1
