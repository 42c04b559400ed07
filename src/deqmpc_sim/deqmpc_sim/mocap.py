"""Motion capture: noisy poses at 100 Hz that arrive late, and faults on request."""

import heapq
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import PoseSample
from deqmpc_core.flight.frames import multiply, quaternion_from_rotation_vector, unit
from deqmpc_sim.firmware.truth import Array, Seed, Stream, TrueState, TruthConfig, generator

RATE = 100
_TIME_SLACK = 1e-6
FaultKind = Literal["silence", "freeze", "jump", "nan", "wrong_body", "reorder", "clock"]
OTHER_BODY = "wand"
"""Name of the body that is seen instead of ours."""


@dataclass(frozen=True)
class Frame(PoseSample):
    """A pose on its way to the host; body: the name it is published under, empty for the robot's own."""

    body: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with frames captured in [begin, end) [s].

    silence: nothing is published. freeze: the last pose comes again with fresh stamps, as when a driver loses
    the body. jump: the position is off by `offset` (3,) [m]. nan: the position is not a number. wrong_body:
    another body is seen instead of ours, `offset` away. reorder: a frame comes up to `value` frames late, so
    that later ones overtake it. clock: stamps are off by `value` [s], as after a step of the host's clock.
    """

    kind: FaultKind
    begin: float
    end: float
    offset: tuple[float, float, float] = (1.0, 0.0, 0.0)
    value: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            known = ", ".join(get_args(FaultKind))
            raise ConfigError(f"fault kind: expected one of {known}, got '{self.kind}'")
        if not self.end > self.begin:
            raise ConfigError(f"a fault must end after it begins, got {self.begin} s to {self.end} s")


class MotionCapture:
    """capture() takes a picture of the truth; due() hands out the poses whose latency is over, in the order
    of their arrival.

    Stamps are capture times; frame numbers count from 1, through silences too. Noise is drawn for every
    frame, faulty or not, so a fault leaves the frames after it as they were.
    """

    def __init__(self, truth: TruthConfig, seed: Seed) -> None:
        """seed: a number or (seed, episode)."""
        self._truth = truth
        self._noise = generator(seed, Stream.MOCAP)
        self._delays = generator(seed, Stream.REORDERING)
        self._waiting: list[tuple[float, int, Frame]] = []
        self._faults: list[Fault] = []
        self._last: Frame | None = None
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
        clean = Frame(t, self.frame_number, position, unit(multiply(truth.quaternion, turn)))
        faults = [f for f in self._faults if f.begin - _TIME_SLACK <= t < f.end - _TIME_SLACK]
        if any(fault.kind == "silence" for fault in faults):
            return
        self._last = sent = self._spoiled(faults, clean)
        late = sum(self._frames_late(fault) for fault in faults if fault.kind == "reorder")
        arrival = t + self._truth.mocap_latency + late / RATE
        heapq.heappush(self._waiting, (arrival, self.frame_number, sent))

    def due(self, t: float) -> list[Frame]:
        """Poses that have arrived by t [s] and were not handed out before."""
        arrived: list[Frame] = []
        while self._waiting and self._waiting[0][0] <= t + _TIME_SLACK:
            arrived.append(heapq.heappop(self._waiting)[2])
        return arrived

    def _spoiled(self, faults: list[Fault], frame: Frame) -> Frame:
        for fault in faults:
            frame = self._apply(fault, frame)
        return frame

    def _apply(self, fault: Fault, frame: Frame) -> Frame:
        match fault.kind:
            case "jump":
                return replace(frame, position=frame.position + np.asarray(fault.offset))
            case "nan":
                return replace(frame, position=_nowhere())
            case "wrong_body":
                return replace(frame, position=frame.position + np.asarray(fault.offset), body=OTHER_BODY)
            case "clock":
                return replace(frame, stamp=frame.stamp + fault.value)
            case "freeze" if self._last is not None:
                return replace(self._last, stamp=frame.stamp, frame_number=frame.frame_number)
        return frame

    def _frames_late(self, fault: Fault) -> int:
        return int(self._delays.integers(0, int(fault.value) + 1))


def _nowhere() -> Array:
    return np.full(3, np.nan)
