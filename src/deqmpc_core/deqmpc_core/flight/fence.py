"""The geofence: two boxes in the world. Beyond the inner one setpoints hold, beyond the outer one the robot
lands."""

from dataclasses import dataclass

import numpy as np

from deqmpc_core.flight.configuration import SafetyConfig
from deqmpc_core.flight.frames import Array


@dataclass(frozen=True)
class Box:
    """All points between the corners low and high (3,), world [m]."""

    low: Array
    high: Array

    def holds(self, point: Array) -> bool:
        """True for a point (3,) inside; never for one that is not finite."""
        return bool(np.all((point >= self.low) & (point <= self.high)))

    def nearest(self, point: Array) -> Array:
        """The point (3,) of the box nearest to a finite point (3,)."""
        return np.clip(point, self.low, self.high)


class Fence:
    """Both boxes of a configuration."""

    def __init__(self, config: SafetyConfig) -> None:
        inner, outer = (config.fence_inner_low, config.fence_inner_high), None
        outer = (config.fence_outer_low, config.fence_outer_high)
        self.inner, self.outer = (Box(*(np.array(c, dtype=float) for c in box)) for box in (inner, outer))

    def left(self, point: Array, what: str) -> str:
        """That `what` at point (3,) is outside the outer box, in words; empty inside."""
        return "" if self.outer.holds(point) else f"{what} left the geofence: at {words(point)}"

    def strayed(self, point: Array, what: str) -> str:
        """That `what` at point (3,) is outside the inner box, in words; empty inside."""
        return "" if self.inner.holds(point) else f"{what} is beyond the inner geofence: at {words(point)}"


def words(point: Array) -> str:
    """(3,) [m] for people."""
    return f"({point[0]:.2f}, {point[1]:.2f}, {point[2]:.2f}) m"
