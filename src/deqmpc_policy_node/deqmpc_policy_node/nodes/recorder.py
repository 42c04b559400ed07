"""Node `deqmpc_recorder`: every topic of the graph into an MCAP bag that survives a kill."""

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

import yaml
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.bag import BagWriter
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.process import Spinner, run
from deqmpc_policy_node.qos import LOCK_STEP_DEPTH
from deqmpc_policy_node.topics import RECORDER_NODE

FLUSH_PERIOD = 1.0
IGNORED = ("/parameter_events", "/rosout")
_NO_TIME = {"sec": 0, "nsec": 0}


@dataclass(frozen=True)
class RecorderParameters:
    """Parameters of `deqmpc_recorder`."""

    directory: str = option(MISSING, "the bag's directory; written as <directory>.active until it is whole")
    topics: str = option(
        "", "topics to record, separated by commas; empty: all but /rosout and /parameter_events"
    )
    provenance: str = option(
        "", "a YAML mapping for the bag's custom_data: policy, configuration, versions, seed"
    )
    poll_period: float = option(0.2, "s between looks for new topics", (0.02, 10.0))


class Recorder:
    """Subscribes to topics as they appear and hands the raw bytes to the bag."""

    def __init__(self, node: Node, parameters: RecorderParameters) -> None:
        self.node = node
        self._wanted = {name.strip() for name in parameters.topics.split(",") if name.strip()}
        self._bag = BagWriter(Path(parameters.directory), _provenance(parameters.provenance))
        self._known: set[str] = set()
        self._last_flush = time.monotonic()
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._poll = node.create_timer(parameters.poll_period, self._look, clock=clock)
        self._look()

    def decide(self) -> None:
        """End the chunk once a second."""
        if time.monotonic() - self._last_flush >= FLUSH_PERIOD:
            self._bag.flush()
            self._last_flush = time.monotonic()

    def close(self) -> None:
        """Finish the bag and say where it is."""
        count, path = self._bag.message_count, self._bag.close()
        self.node.get_logger().info(f"{count} messages in {path}")

    def _look(self) -> None:
        for name, types in self.node.get_topic_names_and_types():
            if name not in self._known and self._wants(name):
                self._subscribe(name, types[0])

    def _wants(self, name: str) -> bool:
        return name in self._wanted if self._wanted else name not in IGNORED

    def _subscribe(self, name: str, type_name: str) -> None:
        offers = self.node.get_publishers_info_by_topic(name)
        if not offers:
            return
        self._known.add(name)
        try:
            self._bag.add_topic(name, type_name, yaml.safe_dump([_qos_entry(o.qos_profile) for o in offers]))
            message = message_class(type_name)
        except (ConfigError, ImportError) as error:
            self.node.get_logger().warning(f"{name} is not recorded: {error}")
            return
        self.node.create_subscription(message, name, self._store(name), matching_qos(offers), raw=True)

    def _store(self, name: str) -> Callable[[Any], None]:
        return lambda data: self._bag.write(name, time.time_ns(), data)


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


def _provenance(text: str) -> dict[str, str]:
    mapping = yaml.safe_load(text) if text else {}
    if not isinstance(mapping, dict):
        raise ConfigError(f"parameter 'provenance' must be a YAML mapping, got {text!r}")
    return {str(key): str(value) for key, value in mapping.items()}


def _build(node: Node, spinner: Spinner) -> Recorder:
    del spinner
    return Recorder(node, declare(node, RecorderParameters))


def main() -> None:
    """Entry point of the executable `recorder`."""
    sys.exit(run(RECORDER_NODE, _build))


if __name__ == "__main__":
    main()
