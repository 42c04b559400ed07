"""Lock-step bookkeeping: which frames belong to which step, and when a step is complete. No rclpy."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

NANOSECONDS = 1_000_000_000


class Numbered(Protocol):
    """What motion capture's frames have in common."""

    @property
    def frame_number(self) -> int:
        """The driver's counter."""
        ...


Sample = TypeVar("Sample", bound=Numbered)


@dataclass(frozen=True)
class StepMark:
    """Simulated time stands at t [s] (stamp [ns]); frame_number is the last motion-capture frame published
    before it.

    first: time has gone back (or this is the first step seen), so everything remembered belongs to another
    episode.
    """

    t: float
    stamp: int
    frame_number: int
    first: bool


class StepGate(Generic[Sample]):
    """Holds frames back until the step that covers them has come.

    Frame numbers never restart while time does at every episode; frames up to the number of an episode's
    first step are old.
    """

    def __init__(self) -> None:
        self._frames: deque[Sample] = deque()
        self._newest_frame = -1
        self._step: StepMark | None = None
        self._open = False
        self._first = True

    def on_frame(self, number: int, sample: Sample | None) -> None:
        """Store a frame that has arrived; sample is None when our body is not in it."""
        self._newest_frame = max(self._newest_frame, number)
        if sample is not None:
            self._frames.append(sample)

    def on_step(self, stamp: int, frame_number: int) -> None:
        """Store a step [ns] that has arrived."""
        if self._step is None or stamp < self._step.stamp:
            self._frames = deque(f for f in self._frames if f.frame_number > frame_number)
            self._newest_frame = max(self._newest_frame, frame_number)
            self._first = True
        self._step = StepMark(stamp / NANOSECONDS, stamp, frame_number, self._first)
        self._open = True

    def complete(self) -> StepMark | None:
        """The step to act on once all its frames are in; None while waiting or when it was taken."""
        if self._open and self._step is not None and self._newest_frame >= self._step.frame_number:
            return self._step
        return None

    def take(self) -> tuple[StepMark, list[Sample]]:
        """Close the complete step and hand out its frames, oldest first."""
        step = self.complete()
        if step is None:
            raise RuntimeError("take() needs a complete step")
        self._open = self._first = False
        frames: list[Sample] = []
        while self._frames and self._frames[0].frame_number <= step.frame_number:
            frames.append(self._frames.popleft())
        return step, frames
