"""Episodes in memory. Letters: E episodes, R rows, S steps of one episode, n state, m control, k spheres."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import ConfigError, DataError

Array = NDArray[np.float64]
HELD_OUT = 0.1
SPLITS = 3  # the paper's comparison: three splits, numbered 0, 1, 2


class Episode(NamedTuple):
    """states (S+1, n) and the actions (S, m) between them; centers (k, 3): the spheres at the start, None
    where they are the task's own; source: what it was made from.
    """

    states: Array
    actions: Array
    centers: Array | None = None
    source: str | int = ""


@dataclass(frozen=True)
class Episodes:
    """Many episodes, one after another.

    states (R, n): an episode of S steps has S + 1 rows, the last where its last action led. bounds (E+1,):
    row numbers of the borders. actions (R, m): NaN in the last row of each episode. centers (E, k, 3):
    spheres at each start; None: the task's own, at rest.
    """

    states: Array
    bounds: NDArray[np.int64]
    actions: Array | None = None
    centers: Array | None = None

    @classmethod
    def of(cls, episodes: Sequence[Episode]) -> "Episodes":
        """Episodes joined; DataError if there are none."""
        if not episodes:
            raise DataError("no episode is left to write; see what was dropped or refused, and why")
        rows = [len(e.states) for e in episodes]
        no_action = np.full((1, episodes[0].actions.shape[1]), np.nan)
        actions = [part for e in episodes for part in (e.actions, no_action)]
        centers = [e.centers for e in episodes if e.centers is not None]
        if centers and len(centers) < len(episodes):
            raise DataError("some episodes have spheres of their own and others do not; write them apart")
        return cls(
            np.concatenate([e.states for e in episodes]), _borders(rows), np.concatenate(actions),
            np.stack(centers) if centers else None,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps (E,) of each."""
        return np.diff(self.bounds) - 1

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Number (R,) of each row's episode."""
        return np.repeat(np.arange(len(self)), np.diff(self.bounds))

    @property
    def last(self) -> NDArray[np.bool_]:
        """Whether each row (R,) is the last of its episode."""
        last = np.zeros(len(self.states), dtype=np.bool_)
        last[self.bounds[1:] - 1] = True
        return last

    def take(self, chosen: NDArray[np.int64]) -> "Episodes":
        """The given episodes in the given order."""
        rows = [np.arange(int(self.bounds[e]), int(self.bounds[e + 1])) for e in chosen]
        index = np.concatenate(rows)
        return Episodes(
            self.states[index], _borders([len(r) for r in rows]),
            None if self.actions is None else self.actions[index],
            None if self.centers is None else self.centers[chosen],
        )  # fmt: skip

    def split(self, number: int = 0) -> tuple["Episodes", "Episodes"]:
        """Training episodes and the tenth held out (A.6.1): split 0 holds out the last tenth, another number
        a tenth drawn by it.

        Raises DataError for less than two episodes, ConfigError for a negative number.
        """
        if len(self) < 2:
            raise DataError(f"a data set needs at least 2 episodes to hold one out, got {len(self)}")
        if number < 0:
            raise ConfigError(f"split: expected 0, 1, 2 or another number from 0 on, got {number}")
        held = max(1, round(HELD_OUT * len(self)))
        order = np.random.default_rng(number).permutation(len(self)) if number else np.arange(len(self))
        return self.take(np.sort(order[:-held])), self.take(np.sort(order[-held:]))


def _borders(rows: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
