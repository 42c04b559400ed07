"""Motion capture: noisy poses at 100 Hz that arrive late, and faults on request."""

from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import PoseSample
from deqmpc_core.flight.frames import multiply, quaternion_from_rotation_vector, unit
from deqmpc_sim.firmware.truth import Array, Seed, Stream, TrueState, TruthConfig, generator

RATE = 100
_TIME_SLACK = 1e-6
FaultKind = Literal["silence", "freeze", "jump", "nan"]


@dataclass(frozen=True)
class Fault:
    """What is wrong with frames captured in [begin, end) [s].

    silence: nothing is published. freeze: the last pose comes again with fresh stamps, as when a driver loses
    the body. jump: the position is off by `offset` (3,) [m]. nan: the position is not a number.
    """

    kind: FaultKind
    begin: float
    end: float
    offset: tuple[float, float, float] = (1.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.kind not in ("silence", "freeze", "jump", "nan"):
            raise ConfigError(f"fault kind: expected silence, freeze, jump or nan, got '{self.kind}'")
        if not self.end > self.begin:
            raise ConfigError(f"a fault must end after it begins, got {self.begin} s to {self.end} s")


class MotionCapture:
    """capture() takes a picture of the truth; due() hands out the poses whose latency is over, oldest first.

    Stamps are capture times; frame numbers count from 1, through silences too. Noise is drawn for every
    frame, faulty or not, so a fault leaves the frames after it as they were.
    """

    def __init__(self, truth: TruthConfig, seed: Seed) -> None:
        """seed: a number or (seed, episode)."""
        self._truth = truth
        self._noise = generator(seed, Stream.MOCAP)
        self._waiting: deque[PoseSample] = deque()
        self._faults: list[Fault] = []
        self._last: PoseSample | None = None
        self.frame_number = 0

    def add_fault(self, fault: Fault) -> None:
        """Schedule a fault; later ones act on what earlier ones made."""
        self._faults.append(fault)

    def silence(self, begin: float, end: float) -> None:
        """Publish nothing of the frames captured in [begin, end) [s]."""
        self.add_fault(Fault("silence", begin, end))

    def capture(self, t: float, truth: TrueState) -> None:
        """Take a frame at time t [s]."""
        self.frame_number += 1
        draws = self._noise.standard_normal(6)
        turn = quaternion_from_rotation_vector(self._truth.mocap_angle_noise * draws[3:])
        position = truth.position + self._truth.mocap_noise * draws[:3]
        sample = PoseSample(t, self.frame_number, position, unit(multiply(truth.quaternion, turn)))
        sent = self._spoil(t, sample)
        if sent is not None:
            self._last = sent
            self._waiting.append(sent)

    def due(self, t: float) -> list[PoseSample]:
        """Poses that have arrived by t [s] and were not handed out before."""
        arrived: list[PoseSample] = []
        while self._waiting and self._waiting[0].stamp + self._truth.mocap_latency <= t + _TIME_SLACK:
            arrived.append(self._waiting.popleft())
        return arrived

    def _spoil(self, t: float, sample: PoseSample) -> PoseSample | None:
        for fault in self._faults:
            if not fault.begin - _TIME_SLACK <= t < fault.end - _TIME_SLACK:
                continue
            if fault.kind == "silence":
                return None
            sample = self._apply(fault, sample)
        return sample

    def _apply(self, fault: Fault, sample: PoseSample) -> PoseSample:
        if fault.kind == "jump":
            return replace(sample, position=sample.position + np.asarray(fault.offset))
        if fault.kind == "nan":
            return replace(sample, position=_nowhere())
        if self._last is None:
            return sample
        return replace(self._last, stamp=sample.stamp, frame_number=sample.frame_number)


def _nowhere() -> Array:
    return np.full(3, np.nan)
