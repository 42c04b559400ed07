"""Poses as a node takes them in: when they came, whether they are believed, how old the newest is."""

import math
from collections import deque

from deqmpc_core.flight.configuration import TIME_TOLERANCE, SafetyConfig
from deqmpc_core.flight.estimator import Estimate, EstimatorConfig, PoseSample, StateEstimator
from deqmpc_core.flight.frame_stamps import FrameStamps
from deqmpc_core.flight.ladder import View, late

DELAYS = 50
"""Poses over which the least delay is taken: a busy computer delays some, a wrong clock all."""


class PoseIntake:
    """A state estimator that knows how late its poses are; times are of the clock that stamps them [s]."""

    def __init__(self, config: SafetyConfig, estimator: EstimatorConfig | None = None) -> None:
        self._config, self._estimator = config, StateEstimator(estimator)
        self.frames = FrameStamps()
        """Capture times of the poses that were used."""
        self._delays: deque[float] = deque(maxlen=DELAYS)
        self.reset()

    def reset(self) -> None:
        """Forget every pose."""
        self._estimator.reset()
        self.frames.forget()
        self._delays.clear()
        self._arrival, self.refusal = -math.inf, ""

    def on_pose(self, sample: PoseSample, arrival: float) -> bool:
        """Take a pose; a refused one (False, `refusal` says why) counts as not received."""
        if sample.stamp > arrival + self._config.clock_tolerance:
            self.refusal = (
                "the pose is from the future: are the clocks of mocap and of this computer in step?"
            )
            return False
        taken = self._estimator.update(sample)
        self.refusal = self._estimator.complaint
        if taken:
            self._arrival = arrival
            self.frames.took(sample.frame_number, sample.stamp)
            self._delays.append(arrival - sample.stamp)
        return taken

    def estimate(self, t: float) -> Estimate | None:
        """The state at t [s], None without a pose."""
        return self._estimator.estimate(t)

    def age(self, t: float) -> float:
        """Seconds since the newest usable pose was captured or came, the later; infinite without one."""
        return max(self._estimator.age(t), t - self._arrival)

    @property
    def delay(self) -> float:
        """Least time [s] from capture to arrival of the last poses; 0 without one."""
        return min(self._delays, default=0.0)

    def late(self, t: float) -> str:
        """That the newest usable pose is too old at t [s] to fly on, in words; empty while it is not."""
        age, limit = self.age(t), self._config.pose_timeout
        if age <= limit + TIME_TOLERANCE:
            return ""
        return f"{late('pose', age, limit, self.refusal)}: is motion capture on, the body seen?"

    def fresh(self, t: float) -> Estimate | None:
        """The state at t [s], None while poses are late."""
        return None if self.late(t) else self.estimate(t)

    def view(self, t: float) -> View:
        """What the safety ladder wants to know at t [s]."""
        return View(self.age(t), self.refusal, self.estimate(t))
