"""Which motion-capture frames a node never got: without them nobody can repeat its estimates."""

from collections import deque

_LONGEST = 1000  # frames; a larger step is another count of the sender, not a loss


class FrameLog:
    """Told every frame that arrives; hands out the numbers left out since it was last asked, the newest 1000
    of them."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._skipped: deque[int] = deque(maxlen=_LONGEST)

    def took(self, number: int) -> None:
        """Frame `number` has arrived."""
        if self._last is not None and 1 < number - self._last <= _LONGEST:
            self._skipped.extend(range(self._last + 1, number))
        self._last = number

    def skipped(self) -> list[int]:
        """Numbers between those that arrived, since the last call."""
        found = list(self._skipped)
        self._skipped.clear()
        return found
