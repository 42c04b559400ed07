"""Figures with their draws: ratios of sums over what is drawn again. S splits, B starts or held-out episodes,
R draws."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deqmpc_train.eval.intervals import RESAMPLES, percentiles

Array = NDArray[np.float64]
_SEED = 0
LEAST = 5  # starts or episodes below which draws of them say nothing


class Measured(NamedTuple):
    """The sum of top (S, B) over that of bottom (S, B): a mean return over the expert's, an error a window.

    Nothing in it (B = 0) is a figure that is not known: no policy came of the training. Below 5 units its
    interval is not known. hopeless: no flight behind it did its task; two such are not told apart.
    """

    top: Array
    bottom: Array
    hopeless: bool = False

    @property
    def value(self) -> float:
        """The figure."""
        return float(self.top.sum() / self.bottom.sum()) if self.top.size else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        return spread(self.draws())

    def draws(self) -> Array:
        """The figure (R,) of each draw; draws of equally many are the same ones, so that what is paired stays
        paired."""
        if self.top.shape[1] < LEAST:
            return np.full(RESAMPLES, np.nan)
        units, splits = _drawn(RESAMPLES, *self.top.shape)
        rows = np.arange(RESAMPLES)[:, None]
        top, bottom = (
            np.stack([s[units].sum(1) for s in v], 1)[rows, splits].sum(1) for v in (self.top, self.bottom)
        )
        return top / bottom


@lru_cache(maxsize=8)
def _drawn(draws: int, splits: int, units: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which units (R, B) and which splits (R, S) each draw has."""
    generator = np.random.default_rng(_SEED)
    chosen = generator.integers(0, units, (draws, units))
    return chosen, generator.integers(0, splits, (draws, splits))


def spread(draws: Array) -> tuple[float, float]:
    """The 95 % interval of draws (R,); unknown where any of them is."""
    return percentiles(draws) if np.isfinite(draws).all() else (float("nan"), float("nan"))


def stacked(rows: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Measured:
    """From (top, bottom) of each split; of splits with fewer units as many as the shortest has."""
    if not rows:
        return Measured(np.zeros((1, 0)), np.zeros((1, 0)))
    units = min(len(top) for top, _ in rows)
    top, bottom = (np.array([row[i][:units] for row in rows], dtype=np.float64) for i in (0, 1))
    return Measured(top, bottom)


def returns(_: object, found: Sequence[dict[str, Any]]) -> Measured:
    """Mean return over the expert's; where rewards are costs, the other way round; not known where the signs
    differ."""
    rows = []
    for told in known(found):
        ours, expert = sum(told["returns"]), sum(told["expert"])
        if ours * expert <= 0.0:
            return stacked([])
        rows.append((told["expert"], told["returns"]) if expert < 0.0 else (told["returns"], told["expert"]))
    return stacked(rows)


def gains(_: object, found: Sequence[dict[str, Any]]) -> Measured:
    """Mean return in units of the expert's, without its sign: what returns are compared by, for it is a
    number whatever the signs."""
    rows, done = [], 0
    for told in known(found):
        sign = math.copysign(1.0, sum(told["expert"]))
        rows.append((told["returns"], [sign * value for value in told["expert"]]))
        done += sum(told["success"])
    return stacked(rows)._replace(hopeless=bool(rows) and not done)


def errors(_: object, found: Sequence[dict[str, Any]]) -> Measured:
    """Held-out error a window."""
    return stacked([(told["error"], told["windows"]) for told in known(found)])


def mean(values: Sequence[float]) -> Measured:
    """Of plain values."""
    return stacked([(values, [1.0] * len(values))] if values else [])


def known(found: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The results, none of them where one is missing: a mean over the rest would flatter."""
    return [] if any("missing" in told for told in found) else found
