"""The robot's end of the control topic: limits, refusals and the watchdog."""

import math

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_core.flight.frames import Array

SILENCE = 0.2
"""s without a control after which the robot goes to rest."""


class ControlInput:
    """Holds the newest control within its limits; what is not a control is refused and counts as silence."""

    def __init__(self, low: Array, high: Array, rest: Array) -> None:
        """low, high, rest (m,): limits, and the control of a robot left alone (no force, or hover thrust)."""
        self._low, self._high, self._rest = low, high, np.clip(rest, low, high)
        self._held, self._since = self._rest, -math.inf
        self.refused = 0
        """Messages that were no control."""

    def take(self, values: ArrayLike, t: float) -> bool:
        """A message at t [s]; False where it is refused: a wrong count, or a number that is not finite."""
        u = np.asarray(values, dtype=float)
        if u.shape != self._rest.shape or not np.isfinite(u).all():
            self.refused += 1
            return False
        self._held, self._since = np.clip(u, self._low, self._high), t
        return True

    def silent(self, t: float) -> bool:
        """Nothing has been heard for too long at t [s]."""
        return t - self._since >= SILENCE - 1e-9

    def at(self, t: float) -> Array:
        """The control (m,) that acts at t [s]."""
        return self._rest if self.silent(t) else self._held
