"""The rule by which a claim of the paper agrees with what we found, written down before the results.

A claim says in which band a statistic lies (A's error less B's: below 0; a failure rate: at most 2 %). Its
95 % interval inside the band: it agrees. Wholly outside: it differs. Else: too noisy to say. A claim of
several parts holds if at least a stated share of them do (all of them, unless it says "most"): it agrees if
so many parts agree, differs if too many differ for that, else it is too noisy to say.

The interval is a paired bootstrap (4000 draws of starts, or of held-out episodes with all their windows, the
same draws for both sides; of splits too, where a cell has several). It says how well the figures of these
trained policies are known; what another training would have given shows only in the splits. So a statistic
of whole trainings (instability) has Student's interval over trainings. With less than three trainings, or
less than five starts or episodes, it is too noisy to say; so is a difference of returns where neither side
ever did its task, and everything at smoke budget. Parts are not corrected for being many: of forty true ones
one is expected to differ by chance. A rate has Wilson's interval and a difference of rates Newcombe's, made
of them: no failure in 3 flights is not a rate of zero.
"""

import math
from collections.abc import Sequence
from enum import Enum
from statistics import mean, stdev
from typing import NamedTuple

Interval = tuple[float, float]
_Z = 1.959963984540054  # of a 95 % interval
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # the same, by degrees of freedom


class Verdict(Enum):
    """What is said of a claim."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOISY = "too noisy to say"


class Part(NamedTuple):
    """One statistic of a claim: what it is, its value and interval, and the verdict on it."""

    what: str
    value: float
    interval: Interval
    verdict: Verdict

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"{self.what}: unknown"
        low, high = self.interval
        span = "" if math.isnan(low) else f" [{low:.3g}, {high:.3g}]"
        return f"{self.what}: {self.value:.3g}{span}, {self.verdict.value}"


class Finding(NamedTuple):
    """On a claim: its parts, and the verdict."""

    parts: tuple[Part, ...]
    verdict: Verdict

    def unsaid(self) -> "Finding":
        """The same figures, nothing said of them."""
        return Finding(tuple(p._replace(verdict=Verdict.NOISY) for p in self.parts), Verdict.NOISY)


def judged(interval: Interval, band: Interval) -> Verdict:
    """Inside, outside, or neither. What is not known (NaN) is too noisy."""
    low, high = interval
    if math.isnan(low) or math.isnan(high):
        return Verdict.NOISY
    if band[0] <= low and high <= band[1]:
        return Verdict.AGREES
    return Verdict.DIFFERS if high < band[0] or low > band[1] else Verdict.NOISY


def part(what: str, value: float, interval: Interval, band: Interval) -> Part:
    """A statistic held against the band it is claimed to lie in."""
    return Part(what, value, interval, judged(interval, band))


def together(parts: Sequence[Part], share: float = 1.0) -> Finding:
    """A claim of several parts, which holds if at least `share` of them do (above a half: "most")."""
    verdicts = [p.verdict for p in parts]
    needed, count = share * len(verdicts) - 1e-9, verdicts.count
    if not verdicts:
        return Finding((), Verdict.NOISY)
    if count(Verdict.AGREES) >= needed:
        return Finding(tuple(parts), Verdict.AGREES)
    possible = len(verdicts) - count(Verdict.DIFFERS) >= needed
    return Finding(tuple(parts), Verdict.NOISY if possible else Verdict.DIFFERS)


def both(first: Finding, second: Finding) -> Finding:
    """A claim that holds if both do."""
    verdicts, parts = {first.verdict, second.verdict}, first.parts + second.parts
    if verdicts == {Verdict.AGREES}:
        return Finding(parts, Verdict.AGREES)
    return Finding(parts, Verdict.DIFFERS if Verdict.DIFFERS in verdicts else Verdict.NOISY)


def most(parts: Sequence[Part]) -> Finding:
    """A claim of "most": more than a half."""
    return together(parts, (len(parts) // 2 + 1) / max(len(parts), 1))


def newcombe(first: Interval, a: float, second: Interval, b: float) -> Interval:
    """95 % interval of a - b, two rates with Wilson's intervals."""
    low = math.hypot(a - first[0], second[1] - b)
    return a - b - low, a - b + math.hypot(first[1] - a, b - second[0])


def student(values: Sequence[float]) -> Interval:
    """95 % interval of the mean of a few values, two or more."""
    count = len(values)
    quantile = _STUDENT[min(count - 1, len(_STUDENT)) - 1]
    middle, half = mean(values), quantile * stdev(values) / math.sqrt(count)
    return middle - half, middle + half


def wilson(count: int, total: int) -> Interval:
    """95 % interval of a rate after `count` of `total`."""
    if not total:
        return math.nan, math.nan
    rate, z = count / total, _Z**2 / total
    middle, half = rate + z / 2, _Z * math.sqrt(rate * (1 - rate) / total + z / (4 * total))
    return max((middle - half) / (1 + z), 0.0), min((middle + half) / (1 + z), 1.0)
