"""What a policy's ticks were like, for diagnostics: rate, lateness, failures. Time is passed in. No rclpy."""

import math
from dataclasses import dataclass


@dataclass
class TickRecord:
    """Counts since the node was activated, and of the window since the last `window()`. Times in ms."""

    ticks: int = 0
    late: int = 0
    failures: int = 0
    pose_age_ms: float = math.nan
    _ticks: int = 0
    _late: int = 0
    _failures: int = 0
    _worst_ms: float = 0.0
    _since: float | None = None

    def add(self, tick_ms: float, pose_age_ms: float, missed: int, failed: bool) -> None:
        """A tick: how long it took, how old the newest pose was at its start, how many ticks fell due before
        its plan was out, and whether the plan could not be flown or the solver gave up."""
        self.ticks, self._ticks = self.ticks + 1, self._ticks + 1
        self.late, self._late = self.late + missed, self._late + missed
        self.failures, self._failures = self.failures + failed, self._failures + failed
        self.pose_age_ms, self._worst_ms = pose_age_ms, max(self._worst_ms, tick_ms)

    def window(self, now: float) -> dict[str, float | int]:
        """Figures since the last call at `now` [s]; a new window begins."""
        passed = math.nan if self._since is None else now - self._since
        figures: dict[str, float | int] = {
            "rate [Hz]": self._ticks / passed if passed > 0.0 else math.nan,
            "late ticks in the last second": self._late,
            "solver failures in the last second": self._failures,
            "slowest tick of the last second [ms]": self._worst_ms,
            "ticks": self.ticks,
            "late ticks": self.late,
            "solver failures": self.failures,
            "pose age [ms]": self.pose_age_ms,
        }
        self._since, self._ticks, self._late, self._failures, self._worst_ms = now, 0, 0, 0, 0.0
        return figures


class TickGrid:
    """When ticks fall due: `period` [s] apart from `begin` on. A timer that is called late skips what it
    missed; here those ticks are counted."""

    def __init__(self, period: float) -> None:
        self._period, self._anchor, self._served = period, 0.0, 0

    def begin(self, now: float) -> None:
        """A tick is due now, the next one a period later."""
        self._anchor, self._served = now, -1

    def serve(self, now: float) -> int:
        """A tick begins at `now`: how many fell due since the last one and were never begun."""
        # A timer may ring a little early by another clock's reckoning.
        index = max(math.floor((now - self._anchor) / self._period + 0.1), self._served + 1)
        skipped, self._served = index - self._served - 1, index
        return skipped

    def behind(self, now: float) -> float:
        """Seconds since the tick that was begun last fell due."""
        return max(now - self._anchor - self._served * self._period, 0.0)

    def late(self, now: float) -> bool:
        """Whether the next tick has fallen due as well."""
        return self.behind(now) > self._period
