"""When a plan takes hold: after the newest pose's age and the time that planning takes."""

from dataclasses import replace
from typing import Protocol, TypeVar

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.plant_estimator import PlantEstimate

Seen = TypeVar("Seen", Estimate, PlantEstimate)


class Predictor(Protocol[Seen]):
    """An estimator, of the drone or of a plant."""

    def estimate(self, t: float) -> Seen | None:
        """The state at t [s], None before the first pose."""
        ...


_MEMORY = 0.2  # share of a new measurement in the expected compute time


MODES = ("none", "pose_age", "pose_age_and_compute")
"""What the state is predicted over: nothing, the newest pose's age, that and the time planning takes."""


class LatencyCompensation:
    """Predicts the state to the time for which a tick at t plans.

    "none": the state of the newest pose is taken for that at t. "pose_age": the state at t. With the compute
    time, expected from the last ticks: the state at t + expected, when the plan will be out.
    """

    def __init__(self, mode: str = "pose_age", most: float = 0.1) -> None:
        """mode: of MODES; most [s]: compute times beyond it (a machine that stalled) are not planned for."""
        if mode not in MODES:
            raise ConfigError(f"latency_compensation must be one of {', '.join(MODES)}, got '{mode}'")
        self.mode, self._most = mode, most
        self.expected = 0.0
        """Seconds from the start of a tick to its plan."""

    def took(self, seconds: float) -> None:
        """A tick took so long; the expectation follows slowly, for plans must not jump in time."""
        if self.mode != "pose_age_and_compute":
            return
        self.expected += _MEMORY * (min(max(seconds, 0.0), self._most) - self.expected)

    def look(self, estimator: Predictor[Seen], t: float) -> Seen | None:
        """The state to plan from at a tick at t [s], its stamp the time to plan for; None before the first
        pose."""
        if self.mode != "none":
            return estimator.estimate(t + self.expected)
        seen = estimator.estimate(t)
        if seen is None:
            return None
        measured = estimator.estimate(t - max(seen.age, 0.0))
        return None if measured is None else replace(measured, stamp=t, age=seen.age)
