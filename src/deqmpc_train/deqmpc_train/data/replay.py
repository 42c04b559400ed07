"""The estimator fed again with the frames that the node had."""

from typing import NamedTuple

import numpy as np

from deqmpc_core.flight import Estimate, StateEstimator
from deqmpc_train.data.recording import Recording


class Query(NamedTuple):
    """The state at t [s] from the frames up to `frame_number`."""

    t: float
    frame_number: int


class Replay:
    """Frames of a recording, less those the node never got, cut where it began a fresh estimator."""

    def __init__(self, recording: Recording) -> None:
        skipped = {number for tick in recording.ticks for number in tick.skipped}
        self._frames = [f for f in recording.frames if f.frame_number not in skipped]
        self._numbers = np.array([f.frame_number for f in self._frames], dtype=np.int64)
        self._stamps = np.array([f.stamp for f in self._frames])
        # A frame with the number of a restart still belongs to the estimator before it.
        self._segments = np.searchsorted(np.array(recording.restarts, dtype=np.int64), self._numbers)

    def captured_by(self, t: float, beside: int) -> int:
        """Number of the last frame captured by t [s], of the estimator that knows frame `beside`; -1 if
        there is none."""
        at = min(int(np.searchsorted(self._numbers, beside)), len(self._numbers) - 1)
        same = (self._segments == self._segments[at]) & (self._stamps <= t)
        return int(self._numbers[same][-1]) if same.any() else -1

    def answers(self, queries: list[Query]) -> list[Estimate | None]:
        """The estimate for each query, None where no frame came before."""
        found: list[Estimate | None] = [None] * len(queries)
        estimator, fed, segment = StateEstimator(), 0, -1
        for i in sorted(range(len(queries)), key=lambda i: queries[i].frame_number):
            end = int(np.searchsorted(self._numbers, queries[i].frame_number, side="right"))
            for k in range(fed, end):
                if self._segments[k] != segment:
                    estimator, segment = StateEstimator(), self._segments[k]
                estimator.update(self._frames[k])
            fed = max(fed, end)
            found[i] = estimator.estimate(queries[i].t)
        return found
