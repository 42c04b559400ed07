"""What the robot says of itself and what the operator's hand says: reasons to land or to give up."""

import math
from dataclasses import dataclass

from deqmpc_core.flight.configuration import SafetyConfig

LOW_POWER, SHUTDOWN = 3, 4
"""crazyflie_interfaces/Status.pm_state."""

BROKEN = {0x20: "has tumbled", 0x40: "is locked and needs a reboot", 0x80: "has crashed"}
"""Bits of Status.supervisor_info after which the motors are off whatever is sent (0x80: newer firmware)."""

IS_FLYING = 0x10
"""Bit of Status.supervisor_info: a motor has turned within the last 2 s."""

ABSENT = 0.5
"""A battery voltage up to this [V] was not measured."""


@dataclass(frozen=True)
class RobotStatus:
    """What /<robot>/status tells: battery [V], power management's state, the supervisor's bits."""

    battery: float
    pm_state: int
    supervisor: int


class RobotWatch:
    """Remembers the newest status and since when the battery has been low."""

    def __init__(self, config: SafetyConfig) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Another robot: nothing is known of it."""
        self._status: RobotStatus | None = None
        self._heard = -math.inf
        self._low_since: float | None = None

    def on_status(self, status: RobotStatus, t: float) -> None:
        """Take a status that arrived at t [s]."""
        self._status, self._heard = status, t
        if not ABSENT < status.battery < self._config.battery_land:
            self._low_since = None
        elif self._low_since is None:
            self._low_since = t

    def broken(self) -> str:
        """Why the robot cannot fly any more, in words; empty while it can."""
        bits = 0 if self._status is None else self._status.supervisor
        said = [words for bit, words in BROKEN.items() if bits & bit]
        return f"the robot says it {said[0]}" if said else ""

    def grounded(self, t: float) -> bool:
        """Whether a fresh status says at t [s] that the robot does not fly, or one that it cannot any more;
        False where nothing is known."""
        if self._status is None or self.unknown(t):
            return bool(self.broken())
        return bool(self.broken()) or not self._status.supervisor & IS_FLYING

    def weak(self, t: float) -> str:
        """Why the battery ends the flight at t [s], in words; empty while it does not."""
        status = self._status
        if status is None:
            return ""
        if status.pm_state in (LOW_POWER, SHUTDOWN):
            return f"the robot says its power is low (pm_state {status.pm_state}, {status.battery:.2f} V)"
        if self._low_since is None or t - self._low_since < self._config.battery_time:
            return ""
        return f"battery at {status.battery:.2f} V (limit {self._config.battery_land:.2f} V)"

    def unknown(self, t: float) -> str:
        """That no fresh status is there, in words; empty when there is one."""
        if t - self._heard <= self._config.status_timeout:
            return ""
        return "no status from the robot: is its topic `status` logged by the server (crazyflies.yaml)?"

    def flat(self) -> str:
        """Why the battery does not allow a take-off, in words; empty when it does or is not known."""
        status, limit = self._status, self._config.battery_start
        if status is None or not ABSENT < status.battery < limit:
            return ""
        return f"battery at {status.battery:.2f} V, a take-off needs {limit:.2f} V: charge it"


class Deadman:
    """The operator's switch, if one is asked for: held means true, and confirmed a moment ago."""

    def __init__(self, config: SafetyConfig) -> None:
        self._config = config
        self._pressed, self._heard = False, -math.inf

    def on_message(self, pressed: bool, t: float) -> None:
        """The switch's state at t [s]."""
        self._pressed, self._heard = pressed, t

    def rewind(self, t: float) -> None:
        """Time goes on from t [s]: what was heard last counts as heard now."""
        self._heard = t

    def released(self, t: float) -> str:
        """That the switch is not held at t [s], in words; empty while it is, or is not asked for."""
        if not self._config.deadman:
            return ""
        if not self._pressed:
            return "the operator does not hold the deadman switch"
        age, limit = t - self._heard, self._config.deadman_timeout
        return (
            "" if age <= limit else f"the deadman switch was not heard for {age:.2f} s (limit {limit:.2f} s)"
        )
