"""The firmware's commander: who may set the setpoint (priorities), and what happens when nobody does.

Low-level packets (CRTP) outrank the high-level planner and reset it; notify_setpoints_stop gives the planner
its rank back, and a planner without a plan then asks for motors off every 10 ms.
"""

import math
from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_sim.firmware import mellinger
from deqmpc_sim.firmware.planner import HighLevelPlanner, PlannedPoint, PlannerState
from deqmpc_sim.firmware.truth import Array

WIRE_UNIT = 1e-3
"""CRTP full state packets carry int16 mm, mm/s, mm/s^2 and mrad/s."""


class Priority(IntEnum):
    """A setpoint is accepted if its priority is at least the present one."""

    DISABLE = 0
    HIGH_LEVEL = 1
    CRTP = 2


def _wire(values: ArrayLike) -> Array:
    """Through an int16 of thousandths and back; too large values wrap, as in Crazyswarm2's C++ server."""
    thousandths = np.trunc(np.asarray(values, dtype=float) / WIRE_UNIT).astype(np.int64)
    wrapped = (thousandths + 2**15) % 2**16 - 2**15
    return wrapped.astype(np.float64) * WIRE_UNIT


def full_setpoint(
    position: ArrayLike, velocity: ArrayLike, acceleration: ArrayLike, yaw: float, rate: ArrayLike
) -> Array:
    """A setpoint (14,) of mode full, as the controller takes it."""
    setpoint = np.empty(mellinger.SETPOINT_SIZE)
    setpoint[mellinger.POSITION] = position
    setpoint[mellinger.VELOCITY] = velocity
    setpoint[mellinger.ACCELERATION] = acceleration
    setpoint[mellinger.YAW] = yaw
    setpoint[mellinger.RATE] = rate
    setpoint[mellinger.MODE] = mellinger.MODE_FULL
    return setpoint


class FirmwareCommander:
    """Holds the setpoint, its priority and age, and the planner. Times are seconds since boot."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.planner = HighLevelPlanner()
        self.setpoint = np.zeros(mellinger.SETPOINT_SIZE)
        self.priority = Priority.DISABLE
        self._note = note
        self._accepted = 0.0
        self._landed = False

    def age(self, t: float) -> float:
        """Time since a setpoint was accepted [s]."""
        return t - self._accepted

    def takeoff(self, height: float, duration: float, t: float) -> bool:
        """Plan a takeoff to an absolute height [m]; False where it is refused."""
        return self._sane("takeoff", duration, (height,)) and self._told(
            "takeoff", self.planner.takeoff(height, duration, t)
        )

    def land(self, height: float, duration: float, t: float) -> bool:
        """Plan a landing to an absolute height [m]; False where it is refused."""
        return self._sane("land", duration, (height,)) and self._told(
            "land", self.planner.land(height, duration, t)
        )

    def go_to(self, goal: ArrayLike, yaw: float, duration: float, relative: bool, t: float) -> bool:
        """Plan a flight to goal (3,) [m] and yaw [rad]; False where it is refused."""
        if not self._sane("go_to", duration, (*np.asarray(goal, dtype=float).tolist(), yaw)):
            return False
        self.planner.go_to(goal, yaw, duration, relative, t)
        return self._told("go_to", True)

    def notify_setpoints_stop(self, position: ArrayLike, velocity: ArrayLike, yaw: float) -> None:
        """End of the low-level stream: tell the planner the state and give it the priority."""
        self._note("notify_setpoints_stop: the high-level planner has priority")
        self.planner.tell(position, velocity, yaw)
        self.priority = Priority.HIGH_LEVEL

    def low_level(self, setpoint: Array, t: float) -> bool:
        """A low-level packet (14,): takes over at once and resets the planner. Non-finite packets are
        dropped.
        """
        if not np.isfinite(setpoint).all():
            self._note("low-level setpoint dropped: it is not finite")
            return False
        if self.planner.state is not PlannerState.IDLE:
            self._note(f"a low-level setpoint reset the high-level planner ({self.planner.state.value})")
            self.planner.stop()
        if self.priority is not Priority.CRTP:
            self._note("low-level setpoints have priority")
        setpoint[:9], setpoint[mellinger.RATE] = _wire(setpoint[:9]), _wire(setpoint[mellinger.RATE])
        self._accept(setpoint, Priority.CRTP, t)
        return True

    def tick(self, t: float, position: Array, velocity: Array, yaw: float) -> None:
        """The high-level commander's 10 ms: offer the planner's setpoint, or motors off while it is idle."""
        landing = self.planner.state is PlannerState.LANDING
        if self.planner.state is PlannerState.IDLE:
            self.planner.tell(position, velocity, yaw)
        point = self.planner.advance(t)
        self._landed |= landing and self.planner.state is PlannerState.IDLE
        if self.priority is not Priority.CRTP:
            self._offer(point, t)

    def _offer(self, point: PlannedPoint | None, t: float) -> None:
        if point is not None:
            rate = (0.0, 0.0, point.yaw_rate)
            setpoint = full_setpoint(point.position, point.velocity, point.acceleration, point.yaw, rate)
            self._accept(setpoint, Priority.HIGH_LEVEL, t)
            return
        if self.setpoint[mellinger.MODE] != mellinger.MODE_OFF:
            why = (
                "landing finished"
                if self._landed
                else "the high-level planner is idle (no land or go_to came)"
            )
            self._note(f"motors off: {why}")
        self._landed = False
        self._accept(np.zeros(mellinger.SETPOINT_SIZE), Priority.HIGH_LEVEL, t)

    def _accept(self, setpoint: Array, priority: Priority, t: float) -> None:
        self.setpoint, self.priority, self._accepted = setpoint, priority, t

    def _sane(self, name: str, duration: float, values: tuple[float, ...]) -> bool:
        if duration > 0.0 and math.isfinite(duration) and all(map(math.isfinite, values)):
            return True
        self._note(f"{name} refused: duration must be positive and all numbers finite")
        return False

    def _told(self, name: str, accepted: bool) -> bool:
        self._note(name if accepted else f"{name} refused: the planner is {self.planner.state.value}")
        return accepted
