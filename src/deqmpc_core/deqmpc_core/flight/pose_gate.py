"""Which motion-capture poses are believed: sound, newer, not frozen, not a jump."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from deqmpc_core.flight.frames import Array, conjugate, multiply, rotation_vector_from_quaternion

if TYPE_CHECKING:
    from deqmpc_core.flight.estimator import EstimatorConfig, PoseSample


class PoseGate:
    """Judges samples against those taken before; what is refused counts as not received. `complaint` is why
    the last one was refused, or empty."""

    def __init__(self, config: EstimatorConfig) -> None:
        self._config = config
        self.complaint = ""
        self.forget()

    def forget(self) -> None:
        """Forget every sample."""
        self._taken = self._heard = -math.inf
        self._raw: bytes | None = None

    def sound(self, sample: PoseSample) -> bool:
        """True when the numbers can be a pose at all."""
        self.complaint = self._unsound(sample)
        return not self.complaint

    def silent(self, stamp: float) -> bool:
        """True when nothing is known that a sample of this stamp [s] could contradict."""
        if stamp - self._heard > self._config.max_gap:
            return True
        return stamp - self._taken > self._config.jump_memory

    def frozen(self, sample: PoseSample) -> bool:
        """True when the pose is that of the sample before to the last bit: noise never repeats, a driver that
        has lost the body does."""
        raw = np.concatenate([sample.position, sample.quaternion]).tobytes()
        if raw != self._raw:
            self._raw = raw
            return False
        self.complaint = "the pose is frozen: equal to the one before to the last bit"
        return True

    def jumped(self, sample: PoseSample, position: Array, quaternion: Array) -> bool:
        """True when the sample is farther from the predicted position (3,) and quaternion (4,) than a robot
        gets in the time since anything was heard."""
        c, quiet = self._config, sample.stamp - self._heard
        self._heard = sample.stamp
        distance = float(np.linalg.norm(sample.position - position))
        turn = multiply(conjugate(quaternion), np.asarray(sample.quaternion, dtype=float))
        angle = float(np.linalg.norm(rotation_vector_from_quaternion(turn)))
        if distance <= c.jump_distance + c.jump_speed * quiet and angle <= c.jump_angle + c.jump_rate * quiet:
            return False
        self.complaint = f"the pose jumped by {distance:.2f} m and {angle:.1f} rad"
        return True

    def take(self, stamp: float) -> None:
        """The sample of this stamp [s] was used."""
        self._taken = self._heard = stamp
        self.complaint = ""

    def _unsound(self, sample: PoseSample) -> str:
        c = self._config
        values = np.concatenate([[sample.stamp], sample.position, sample.quaternion])
        if values.shape != (8,) or not np.all(np.isfinite(values)):
            return "the pose is not eight finite numbers"
        if np.max(np.abs(values[1:4])) > c.max_position:
            return f"the position is beyond {c.max_position:.0f} m"
        if np.max(np.abs(values[4:])) > 2.0 or abs(np.linalg.norm(values[4:]) - 1.0) > c.unit_tolerance:
            return "the quaternion is not of length one"
        return ""
