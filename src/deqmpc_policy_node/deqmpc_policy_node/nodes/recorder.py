"""Node `deqmpc_recorder`: every topic of the graph into MCAP bags, one a flight, that survive a kill."""

import sys
import time
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

import yaml
from deqmpc_interfaces.msg import EpisodeResult, FlightState, Step
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import deserialize_message

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import nanoseconds
from deqmpc_policy_node.flight_bags import FlightBags
from deqmpc_policy_node.offers import matching_qos, message_class, profiles_text
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.process import Spinner, run

REPORT_PERIOD = 1.0
DRAIN_TIME = 5.0
"""s at most between the signal to end and the end of the bag; less than who sends it waits."""

IGNORED = ("/parameter_events", "/rosout")


@dataclass(frozen=True)
class RecorderParameters:
    """Parameters of `deqmpc_recorder`."""

    directory: str = option(
        MISSING, "the first bag, later ones end in _2, _3, ...; written as <directory>.active until whole"
    )
    topics: str = option(
        "", "topics to record, separated by commas; empty: all but /rosout and /parameter_events"
    )
    provenance: str = option(
        "", "a YAML mapping for the bag's custom_data: policy, configuration, versions, seed"
    )
    poll_period: float = option(0.2, "s between looks for new topics", (0.02, 10.0))
    bag_per_flight: bool = option(True, "begin a new bag with every flight; false: one bag for everything")


class Recorder:
    """Subscribes to topics as they appear and hands the raw bytes to the bags."""

    def __init__(self, node: Node, parameters: RecorderParameters, spinner: Spinner) -> None:
        self.node, self._spinner = node, spinner
        self._wanted = {name.strip() for name in parameters.topics.split(",") if name.strip()}
        provenance = _provenance(parameters.provenance)
        self._bags = FlightBags(Path(parameters.directory), provenance, parameters.bag_per_flight)
        self._known: set[str] = set()
        self._subscriptions: list[Any] = []
        self._told, self._state, self._next_report = "", "", 0.0
        self._diagnostics = node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._poll = node.create_timer(parameters.poll_period, self._look, clock=clock)
        self._look()

    def decide(self) -> None:
        """What is due; a fault is said once, and then there is nothing left to listen to."""
        now = time.monotonic()
        self._bags.tend(now)
        if self._bags.fault != self._told:
            self._told = self._bags.fault
            self.node.get_logger().error(self._told)
            self._stop_listening()
        if self._bags.state != self._state or now >= self._next_report:
            self._state, self._next_report = self._bags.state, now + REPORT_PERIOD
            self._report()

    def close(self) -> None:
        """Take what is still on its way in lock-step, finish the bag and say where the bags are."""
        deadline = time.monotonic() + DRAIN_TIME
        while self._bags.behind and time.monotonic() < deadline:
            self._spinner.once(0.02)
            self._bags.tend(time.monotonic())
        count = self._bags.message_count
        self._bags.close()
        for path in self._bags.finished:
            self.node.get_logger().info(f"recorded {path}")
        self.node.get_logger().info(f"{count} messages in the last bag")
        if self._bags.fault != self._told:
            self.node.get_logger().error(self._bags.fault)

    def _report(self) -> None:
        level = DiagnosticStatus.ERROR if self._bags.fault else DiagnosticStatus.OK
        values = {"messages": self._bags.message_count, "bags": len(self._bags.finished)}
        status = DiagnosticStatus(
            level=level,
            name=f"{topics.RECORDER_NODE}: recording",
            message=self._bags.state,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.node.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _stop_listening(self) -> None:
        self._poll.cancel()
        for subscription in self._subscriptions:
            self.node.destroy_subscription(subscription)
        self._subscriptions = []

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
        quality = matching_qos(offers)
        latched = quality.durability == DurabilityPolicy.TRANSIENT_LOCAL
        try:
            message = message_class(type_name)
            self._bags.add_topic(name, type_name, profiles_text(offers), latched)
        except (ConfigError, ImportError, AttributeError) as error:
            self.node.get_logger().warning(f"{name} is not recorded: {error}")
            return
        store = self._store(name, message)
        self._subscriptions.append(self.node.create_subscription(message, name, store, quality, raw=True))

    def _store(self, name: str, message: type) -> Callable[[Any], None]:
        event = self._event(name, message)

        def store(data: bytes) -> None:
            now = time.monotonic()
            if event is not None:
                event(deserialize_message(data, message), now)
            self._bags.write(name, time.time_ns(), data, now)

        return store

    def _event(self, name: str, message: type) -> Callable[[Any, float], None] | None:
        """What a message tells of flights that begin or end."""
        watch = self._bags.watch
        known: dict[tuple[str, type], Callable[[Any, float], None]] = {
            (topics.FLIGHT_STATE, FlightState): lambda m, t: watch.on_phase(m.phase, t),
            (topics.STEP, Step): lambda m, t: watch.on_step(nanoseconds(m.stamp)),
            (topics.EPISODE_RESULT, EpisodeResult): lambda m, t: watch.on_verdict(t) if m.finished else None,
        }
        return known.get((name, message))


def _provenance(text: str) -> dict[str, str]:
    mapping = yaml.safe_load(text) if text else {}
    if not isinstance(mapping, dict):
        raise ConfigError(f"parameter 'provenance' must be a YAML mapping, got {text!r}")
    return {str(key): str(value) for key, value in mapping.items()}


def _build(node: Node, spinner: Spinner) -> Recorder:
    return Recorder(node, declare(node, RecorderParameters), spinner)


def main() -> None:
    """Entry point of the executable `recorder`."""
    sys.exit(run(topics.RECORDER_NODE, _build))


if __name__ == "__main__":
    main()
