"""What a rosbag2 directory says about itself (metadata.yaml, version 9), as plain values: the recorder writes
it, `deqmpc data repair` writes it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 9
METADATA = "metadata.yaml"
ROOT = "rosbag2_bagfile_information"
ACTIVE = ".active"
"""Ends the name of a bag that is still being written, or whose writer was killed."""

BALLAST = "ballast"
"""A file that holds disk space for closing the bag; never part of one."""

_DISTRO = "jazzy"


@dataclass(frozen=True)
class TopicFacts:
    """One topic of a bag. qos: the offered profiles as rosbag2 lists them; type_hash: "RIHS01_...";
    count: messages."""

    name: str
    type_name: str
    type_hash: str
    qos: Sequence[Mapping[str, Any]]
    count: int

    def entry(self) -> dict[str, Any]:
        """Its place in topics_with_message_count."""
        return {
            "topic_metadata": {
                "name": self.name,
                "type": self.type_name,
                "serialization_format": "cdr",
                "offered_qos_profiles": [dict(profile) for profile in self.qos],
                "type_description_hash": self.type_hash,
            },
            "message_count": self.count,
        }


def bag_metadata(
    file_name: str, topics: Sequence[TopicFacts], first: int, last: int, notes: Mapping[str, str]
) -> dict[str, Any]:
    """The whole document of a bag of one MCAP file; first and last receipt [ns], 0 for an empty bag; notes:
    custom_data."""
    extent = {
        "duration": {"nanoseconds": last - first},
        "starting_time": {"nanoseconds_since_epoch": first},
        "message_count": sum(topic.count for topic in topics),
    }
    return {
        ROOT: {
            "version": VERSION,
            "storage_identifier": "mcap",
            **extent,
            "topics_with_message_count": [topic.entry() for topic in topics],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file_name],
            "files": [{"path": file_name, **extent}],
            "custom_data": dict(notes),
            "ros_distro": _DISTRO,
        }
    }
