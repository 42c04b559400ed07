"""Seconds inside, ROS stamps outside: one conversion, and a steady clock for everything that waits."""

import time

from builtin_interfaces.msg import Time

NANOSECONDS = 1_000_000_000
_SLACK = 1_000_000
"""ns by which two clocks may differ unheeded: stamps that were taken meanwhile stay in their order."""


def nanoseconds(stamp: Time) -> int:
    """Integer nanoseconds of a ROS stamp."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def stamp_of(ns: int) -> Time:
    """ROS stamp of integer nanoseconds."""
    return Time(sec=ns // NANOSECONDS, nanosec=ns % NANOSECONDS)


class TimeBase:
    """Float seconds since an epoch of this process.

    Wall stamps as floats would be exact to 0.2 us only, so the epoch is subtracted while they are integers.
    In lock-step the epoch is 0: simulated stamps are small, and every process must get the same floats.
    """

    def __init__(self, lock_step: bool) -> None:
        self._epoch = 0 if lock_step else time.time_ns()
        self._anchor, self._lock_step = time.monotonic_ns(), lock_step

    def anchor(self) -> None:
        """Take the wall clock's word anew: it may have been set since. `now` goes on without a step; stamps
        are other seconds from here on. Not to be called in flight."""
        epoch = time.time_ns() - (time.monotonic_ns() - self._anchor)
        if not self._lock_step and abs(epoch - self._epoch) > _SLACK:
            self._epoch = epoch

    def seconds(self, stamp: Time) -> float:
        """Seconds since the epoch of a stamp."""
        return (nanoseconds(stamp) - self._epoch) / NANOSECONDS

    def stamp(self, seconds: float) -> Time:
        """The stamp of float seconds, rounded to the nanosecond."""
        return stamp_of(self._epoch + round(seconds * NANOSECONDS))

    def now(self) -> float:
        """Seconds since the epoch by the steady clock (a step of the system's clock does not move it)."""
        return (time.monotonic_ns() - self._anchor) / NANOSECONDS
