"""The bridge that feeds poses to the robot's own estimator, RigidBodies to /poses to the radio: the simulated
twin of the node `deqmpc_mocap_bridge`."""

import numpy as np

from deqmpc_core.flight.estimator import PoseSample
from deqmpc_core.flight.leap import LeapFilter

FASTEST = 10.0
"""A body that seems faster than this [m/s] has not moved: the tracker has mistaken something for it."""
FROZEN_FRAMES = 10
"""So many equal poses in a row are one whose body is lost."""


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
        self._leaps = LeapFilter(FASTEST)

    def passes(self, sample: PoseSample, t: float) -> bool:
        """Whether the pose that has arrived at t [s] is forwarded."""
        if not self._guarded:
            return True
        self._equal = self._equal + 1 if self._seen is not None and _same(self._seen, sample) else 0
        self._seen = sample
        if self._equal >= FROZEN_FRAMES or not np.isfinite(sample.position).all():
            return False
        return self._leaps.passes(t, sample.position)


def _same(a: PoseSample, b: PoseSample) -> bool:
    return bool((a.position == b.position).all() and (a.quaternion == b.quaternion).all())
