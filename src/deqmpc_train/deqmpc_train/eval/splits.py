"""Variants trained on several splits: their mean, as the paper averages them (Section 5.1)."""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deqmpc_train.eval.intervals import Interval, mean_interval, normalised, normalised_interval
from deqmpc_train.eval.report import between, percent, share, table
from deqmpc_train.eval.results import Array, Difference, PolicyResult, difference

_HEAD = ("variant", "splits", "of the expert's return", "return", "failures", "L1 held out")


class Variant(NamedTuple):
    """returns, failed (B,): of each start, mean over the splits' policies."""

    name: str
    splits: int
    returns: Array
    failed: NDArray[np.float64]
    validation_error: float | None
    expert: Array

    @property
    def normalised(self) -> float | None:
        """As in `normalised`."""
        return normalised(float(self.returns.mean()), float(self.expert.mean()))

    def to_json(self) -> dict[str, Any]:
        """Plain values; intervals over starts."""
        return {
            "variant": self.name, "splits": self.splits, "return_mean": float(self.returns.mean()),
            "return_interval": mean_interval(self.returns), "normalised_return": self.normalised,
            "normalised_interval": normalised_interval(self.returns, self.expert),
            "failure_rate": float(self.failed.mean()), "failure_interval": mean_interval(self.failed),
            "validation_error": self.validation_error,
        }  # fmt: skip

    def cells(self) -> list[str]:
        """A row of the table."""
        told = self.to_json()
        error = self.validation_error
        interval: Interval = told["failure_interval"]
        return [
            self.name, str(self.splits), share(told["normalised_return"], told["normalised_interval"]),
            f"{told['return_mean']:.2f} {between(told['return_interval'], 2)}",
            f"{told['failure_rate']:.1%} {percent(interval)}", "" if error is None else f"{error:.4f}",
        ]  # fmt: skip


def by_variant(named: list[tuple[str, PolicyResult]], expert: Array) -> list[Variant]:
    """Mean over the results of each variant, given as (variant, result) of equal starts."""
    groups: dict[str, list[PolicyResult]] = {}
    for variant, result in named:
        groups.setdefault(variant, []).append(result)
    return [_mean(variant, results, expert) for variant, results in groups.items()]


def _mean(variant: str, results: list[PolicyResult], expert: Array) -> Variant:
    errors = [r.validation_error for r in results if r.validation_error is not None]
    returns = np.mean([r.returns for r in results], axis=0)
    failed = np.mean([r.failed.astype(float) for r in results], axis=0)
    return Variant(variant, len(results), returns, failed, float(np.mean(errors)) if errors else None, expert)


def pairs(variants: list[Variant], expert: Array) -> list[Difference]:
    """Paired differences of all variants."""
    return [difference(a, b, expert) for a, b in combinations(variants, 2)]


def variant_table(variants: list[Variant]) -> list[str]:
    """Lines of markdown."""
    return table(_HEAD, [v.cells() for v in variants])
