"""When motion capture's frames were captured, by number: they tell how old the pose behind a plan is."""

from collections import deque

REMEMBERED = 1000


class FrameStamps:
    """Told number and capture time of frames in their order; the number 0 means that none is told."""

    def __init__(self) -> None:
        self._frames: deque[tuple[int, float]] = deque(maxlen=REMEMBERED)

    def forget(self) -> None:
        """Another count begins."""
        self._frames.clear()

    def took(self, number: int, stamp: float) -> None:
        """Frame `number` was captured at stamp [s]."""
        if self._frames and number <= self._frames[-1][0]:
            self._frames.clear()
        self._frames.append((number, stamp))

    def latest(self, number: int) -> float | None:
        """Frame `number` was captured at this time [s] or before; None where nothing is known, or it is newer
        than every frame known."""
        found = None
        for known, stamp in reversed(self._frames if number > 0 else ()):
            if known < number:
                break
            found = stamp
        return found
