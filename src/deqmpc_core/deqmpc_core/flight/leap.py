"""Poses that a body cannot have flown to: what a tracker tells that has mistaken something for the body."""

import math
from collections.abc import Iterable

SLACK = 0.05
"""Further distance allowed between two poses [m]: noise, and frames close together."""
GIVE_UP = 0.5
"""After so long without a believable pose [s] the next one is believed again."""


class LeapFilter:
    """passes() for one body; it remembers the last position believed."""

    def __init__(self, fastest: float) -> None:
        """fastest [m/s]: a body that seems faster has leapt; 0 lets everything pass."""
        self._fastest = fastest
        self._place: tuple[float, ...] = ()
        self._time = -math.inf

    def passes(self, t: float, position: Iterable[float]) -> bool:
        """Whether the body can be at position (3,) [m], finite, at t [s]; times that run backwards begin
        anew."""
        gap = t - self._time
        place = tuple(float(value) for value in position)
        if self._fastest > 0.0 and 0.0 <= gap < GIVE_UP:
            if math.dist(self._place, place) > self._fastest * gap + SLACK:
                return False
        self._place, self._time = place, t
        return True
