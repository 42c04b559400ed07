"""Statistics that claims are tested by: differences, gains, and what becomes of a difference along x."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from deqmpc_train.eval.report import table
from deqmpc_train.paper.figure import PAIRS, Results
from deqmpc_train.paper.measured import Array, Measured, spread
from deqmpc_train.paper.rule import Finding, Interval, Part, part, student, together

_TINY = float(np.finfo(float).tiny)  # what is always equal is neither less nor more
BELOW: Interval = (-np.inf, -_TINY)
ABOVE: Interval = (_TINY, np.inf)
SATURATED: Interval = (-np.inf, 0.05)  # falls by less than a twentieth
IMPROVING: Interval = (0.05, np.inf)
FEWEST = 3  # trainings that an interval over trainings needs
UNSTABLE = 100.0  # the most instability that is told apart; a training that stopped counts as this
STABLE: Interval = (-np.inf, 1.5)  # instability
Test = Callable[[Results], Finding]


def statistic(what: str, value: float, draws: Array, band: Interval) -> Part:
    """A statistic with its draws (R,) held against a band."""
    return part(what, value, spread(draws), band)


def difference(what: str, a: Measured, b: Measured, band: Interval) -> Part:
    """a minus b, paired; too noisy to say where neither ever did its task."""
    if a.hopeless and b.hopeless:
        return part(f"{what} (neither ever succeeds)", a.value - b.value, (np.nan, np.nan), band)
    return statistic(what, a.value - b.value, a.draws() - b.draws(), band)


def gain(what: str, before: Measured, after: Measured, band: Interval) -> Part:
    """By what share of itself a figure falls from before to after."""
    return statistic(what, 1.0 - after.value / before.value, 1.0 - after.draws() / before.draws(), band)


def better(band: Interval, pairs: Sequence[tuple[str, str]] = PAIRS) -> Test:
    """At every x and task, each first less its second lies in the band."""

    def test(results: Results) -> Finding:
        cells = dict.fromkeys((c.task, c.x) for c in results.found)
        return together([
            _apart(results, a, b, task, x, band)
            for task, x in cells for a, b in pairs
        ])  # fmt: skip

    return test


def _apart(results: Results, a: str, b: str, task: str, x: float, band: Interval) -> Part:
    what = f"{a} less {b}{_at(results, task, x)}"
    return difference(what, results.of(a, x, task), results.of(b, x, task), band)


def growing(band: Interval, pairs: Sequence[tuple[str, str]] = PAIRS) -> Test:
    """The difference of each pair at the largest x, less that at the smallest, lies in the band."""

    def test(results: Results) -> Finding:
        first, last = results.xs[0], results.xs[-1]
        return together([change(results, a, b, first, last, band) for a, b in pairs])

    return test


def change(results: Results, a: str, b: str, first: float, last: float, band: Interval) -> Part:
    """The difference of a and b at `last` less that at `first`."""
    ends = [(results.of(a, x), results.of(b, x)) for x in (last, first)]
    value = [p.value - q.value for p, q in ends]
    draws = [p.draws() - q.draws() for p, q in ends]
    what = f"{a} less {b}, from {first:g} to {last:g}"
    return statistic(what, value[0] - value[1], draws[0] - draws[1], band)


def lead(results: Results, x: float, band: Interval, pairs: Sequence[tuple[str, str]] = PAIRS) -> list[Part]:
    """The difference of each pair at x."""
    return [difference(f"{a} less {b} at {x:g}", results.of(a, x), results.of(b, x), band) for a, b in pairs]


def improving(variants: Sequence[str], band: Interval) -> Test:
    """The share by which each variant's figure falls from the last x but one to the last."""

    def test(results: Results) -> Finding:
        first, last = results.xs[-2], results.xs[-1]
        what = f"from {first:g} to {last:g}"
        return together([
            gain(f"{v} falls by, {what}", results.of(v, first), results.of(v, last), band) for v in variants
        ])  # fmt: skip

    return test


def instability(training: dict[str, Any]) -> float:
    """How far a training's validation curve climbs above the best that was before: the largest error over the
    least before it, at most 100; 1 for a curve that never rises, 100 for a training that stopped."""
    errors = np.array([point["error"] for point in training["curve"]])
    if training["stopped"] or not len(errors):
        return UNSTABLE
    return min(float((errors / np.minimum.accumulate(errors)).max()), UNSTABLE)


def over_trainings(what: str, values: Sequence[float], band: Interval) -> Part:
    """A statistic of whole trainings: mean, and Student's interval over trainings, unknown below three."""
    found = np.array(values, dtype=np.float64)
    value = float(found.mean()) if len(found) else np.nan
    if len(found) < FEWEST or not np.isfinite(found).all():
        return part(what, value, (np.nan, np.nan), band)
    return part(what, value, student(found.tolist()), band)


def instability_table(results: Results) -> list[str]:
    """Of every training."""
    body = []
    for cell, found in results.found.items():
        values = ", ".join(f"{instability(told):.3g}" for told in found)
        why = "; ".join(told["stopped"] for told in found if told["stopped"])
        body.append([f"{cell.x:g}", cell.variant, values, why])
    return ["", *table((results.figure.x.label, "variant", "instability, by training", "stopped"), body)]


def _at(results: Results, task: str, x: float) -> str:
    words = ([task] if len(results.tasks) > 1 else []) + ([f"{x:g}"] if len(results.xs) > 1 else [])
    return f" ({', '.join(words)})" if words else ""
