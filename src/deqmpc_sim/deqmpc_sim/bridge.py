"""The bridge that feeds poses to the robot's own estimator (RigidBodies to /poses to the radio)."""

import math

import numpy as np

from deqmpc_core.flight.estimator import PoseSample
from deqmpc_sim.firmware.truth import Array

FASTEST = 10.0
"""A body that seems faster than this [m/s] has not moved: the tracker has mistaken something for it."""
SLACK = 0.05
"""Further distance allowed between two poses [m]: noise, and frames close together."""
FROZEN_FRAMES = 10
"""So many equal poses in a row are one whose body is lost."""
GIVE_UP = 0.5
"""After so long without a believable pose [s] the next finite one is believed again."""


class PoseBridge:
    """passes() says whether a pose goes on board.

    The robot believes what it is given, to the millimetre. A guarded bridge drops what cannot be true: not
    finite, the tenth and later of poses that are equal to the bit (the driver has lost the body), or farther
    off than the body can have flown. An unguarded one (Crazyswarm2 with its own motion capture node) forwards
    everything.
    """

    def __init__(self, guarded: bool = True) -> None:
        self._guarded = guarded
        self._seen: PoseSample | None = None
        self._equal = 0
        self._place: Array = np.zeros(3)
        self._time = -math.inf

    def passes(self, sample: PoseSample, t: float) -> bool:
        """Whether the pose that has arrived at t [s] is forwarded."""
        if not self._guarded:
            return True
        self._equal = self._equal + 1 if self._seen is not None and _equal(self._seen, sample) else 0
        self._seen = sample
        frozen, finite = self._equal >= FROZEN_FRAMES, bool(np.isfinite(sample.position).all())
        if frozen or not finite or self._jumped(sample, t):
            return False
        self._place, self._time = sample.position, t
        return True

    def _jumped(self, sample: PoseSample, t: float) -> bool:
        gap = t - self._time
        distance = float(np.linalg.norm(sample.position - self._place))
        return gap < GIVE_UP and distance > FASTEST * gap + SLACK


def _equal(a: PoseSample, b: PoseSample) -> bool:
    return bool((a.position == b.position).all() and (a.quaternion == b.quaternion).all())
