"""A node's health once a second on /diagnostics, as diagnostic_updater writes it but without its package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from deqmpc_policy_node.clock import TimeBase

TOPIC = "/diagnostics"
PERIOD = 1.0
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
_PAGE = 4096


@dataclass(frozen=True)
class Health:
    """What a node says of itself: level OK, WARN or ERROR, a sentence, figures by name."""

    level: bytes
    message: str
    values: Mapping[str, str | float | int] = field(default_factory=dict)


class DiagnosticsWriter:
    """Asks `health` once a second while started. hardware: the robot's name."""

    def __init__(
        self, node: Node, base: TimeBase, hardware: str, health: Callable[[], Health], what: str = "ticks"
    ) -> None:
        """what: the part of the node that is spoken of."""
        self._node, self._base, self._hardware, self._health = node, base, hardware, health
        self._what = what
        self._publisher = node.create_publisher(DiagnosticArray, TOPIC, 10)
        self._timer = None

    def start(self) -> None:
        """Arm the timer, by a clock that no simulation stops."""
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(PERIOD, self.write, clock=clock)

    def stop(self) -> None:
        """Disarm it."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        self._timer = None

    def write(self) -> None:
        """Publish now."""
        health, name = self._health(), f"{self._node.get_name()}: {self._what}"
        values = {**health.values, "memory [MB]": resident_megabytes()}
        status = DiagnosticStatus(
            level=health.level, name=name, message=health.message, hardware_id=self._hardware
        )
        status.values = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._base.stamp(self._base.now())
        self._publisher.publish(message)


def resident_megabytes() -> float:
    """Memory of this process that is in use [MB]; NaN where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
    except (OSError, ValueError, IndexError):
        return float("nan")


def _text(value: str | float | int) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
