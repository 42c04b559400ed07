"""When a plan takes hold: after the newest pose's age and the time that planning takes."""

from dataclasses import replace

from deqmpc_core.flight.estimator import Estimate, StateEstimator

_MEMORY = 0.2  # share of a new measurement in the expected compute time


class LatencyCompensation:
    """Predicts the state to the time at which the plan will be out.

    On: by the newest pose's age plus the compute time expected from the last ticks, so a tick at t plans for
    t + expected. Off: the state of the newest pose is taken for that at t.
    """

    def __init__(self, enabled: bool = True, most: float = 0.1) -> None:
        """most [s]: compute times beyond it (a machine that stalled) are not planned for."""
        self.enabled, self._most = enabled, most
        self.expected = 0.0
        """Seconds from the start of a tick to its plan."""

    def took(self, seconds: float) -> None:
        """A tick took so long; the expectation follows slowly, for plans must not jump in time."""
        self.expected += _MEMORY * (min(max(seconds, 0.0), self._most) - self.expected)

    def look(self, estimator: StateEstimator, t: float) -> Estimate | None:
        """The state to plan from at a tick at t [s], its stamp the time to plan for; None before the first
        pose."""
        if self.enabled:
            return estimator.estimate(t + self.expected)
        seen = estimator.estimate(t)
        if seen is None:
            return None
        measured = estimator.estimate(t - max(seen.age, 0.0))
        return None if measured is None else replace(measured, stamp=t, age=seen.age)
