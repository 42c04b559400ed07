"""What publishers offer on a topic: its type, the quality to ask for, and how a bag's metadata tells it."""

import importlib

import yaml
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from deqmpc_policy_node.qos import LOCK_STEP_DEPTH

_NO_TIME = {"sec": 0, "nsec": 0}


def message_class(type_name: str) -> type:
    """The Python class of "package/msg/Name"."""
    package, kind, short = type_name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), short)


def matching_qos(offers: list[TopicEndpointInfo]) -> QoSProfile:
    """The strictest quality that every publisher of a topic offers, deep enough to lose nothing."""
    profiles = [offer.qos_profile for offer in offers]
    reliable = all(p.reliability == ReliabilityPolicy.RELIABLE for p in profiles)
    latched = all(p.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in profiles)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=LOCK_STEP_DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def profiles_text(offers: list[TopicEndpointInfo]) -> str:
    """The offered profiles as rosbag2's metadata.yaml lists them."""
    return yaml.safe_dump([_qos_entry(offer.qos_profile) for offer in offers])


def _qos_entry(profile: QoSProfile) -> dict[str, object]:
    """A profile as metadata.yaml version 9 spells it; durations that do not travel over DDS are left at
    zero."""
    return {
        "history": profile.history.name.lower(),
        "depth": int(profile.depth),
        "reliability": profile.reliability.name.lower(),
        "durability": profile.durability.name.lower(),
        "deadline": _NO_TIME.copy(),
        "lifespan": _NO_TIME.copy(),
        "liveliness": profile.liveliness.name.lower(),
        "liveliness_lease_duration": _NO_TIME.copy(),
        "avoid_ros_namespace_conventions": bool(profile.avoid_ros_namespace_conventions),
    }
