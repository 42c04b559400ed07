"""Bootstrap intervals of means over episodes, seeded: the same figures every time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LEVEL = 0.95
RESAMPLES = 4000
_SEED = 0

Interval = tuple[float, float]


def resampled_means(*values: Sequence[float] | Array) -> list[Array]:
    """Means (R,) of each of the given (B,) over the same R draws of B episodes, so that what is paired stays
    paired."""
    count = len(values[0])
    draws = np.random.default_rng(_SEED).integers(0, count, (RESAMPLES, count))
    return [np.asarray(v, dtype=np.float64)[draws].mean(1) for v in values]


def percentiles(statistics: Array) -> Interval:
    """The middle 95 % of resampled statistics (R,)."""
    low, high = np.quantile(statistics, (0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL))
    return float(low), float(high)


def mean_interval(values: Sequence[float] | Array) -> Interval:
    """95 % interval of the mean of values (B,)."""
    return percentiles(resampled_means(values)[0])


def normalised(mean: float, expert: float) -> float | None:
    """The mean return over the expert's, or, where rewards are costs, the other way round; None where the
    signs differ."""
    if mean * expert <= 0.0:
        return None
    return mean / expert if expert > 0.0 else expert / mean


def normalised_interval(returns: Array, expert: Array) -> Interval | None:
    """95 % interval of `normalised` for returns (B,) beside the expert's from the same starts; None where the
    signs differ in some draw."""
    mean, best = resampled_means(returns, expert)
    if (mean * best <= 0.0).any():
        return None
    return percentiles(mean / best if best[0] > 0.0 else best / mean)
