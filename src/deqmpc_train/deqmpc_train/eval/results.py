"""The figures of one policy, and the paired differences of two."""

from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.tasks import Task
from deqmpc_core.tasks.crazyflie import GOAL_WINDOW
from deqmpc_sim.envs import Rollout
from deqmpc_train.eval.flights import Flight, StepTimes, success
from deqmpc_train.eval.intervals import (
    Interval,
    mean_interval,
    normalised,
    normalised_interval,
    percentiles,
    resampled_means,
)

Array = NDArray[np.float64]
TOLERANCE = 1e-3
"""Violation [state units] above which a plan counts as violating."""


class FlightFigures(NamedTuple):
    """Rates are shares of episodes; normalised_return as in `normalised`; intervals: 95 % bootstrap over
    episodes; failures: how often each reason occurred; final_distance [m]: mean over the last 5 s, None where
    nothing has a place. Of the plans flown: violation_median, violation_p99 and violation_max, the largest
    constraint violation [state units], and violation_share, of ticks with more than 1e-3. residual_by_round:
    the network's mean fixed-point residual in the rounds of the first tick."""

    return_mean: float
    return_interval: Interval
    expert_return_mean: float
    normalised_return: float | None
    normalised_interval: Interval | None
    success_rate: float
    success_interval: Interval
    failure_rate: float
    failure_interval: Interval
    failures: dict[str, int]
    final_distance: float | None
    violation_median: float
    violation_p99: float
    violation_max: float
    violation_share: float
    residual_by_round: list[float]


class HeldOutFigures(NamedTuple):
    """L1 error per knot on held-out windows: mean of cold and streamed, each of them, and of a cold tick by
    round; None without data."""

    validation_error: float | None = None
    validation_cold: float | None = None
    validation_streamed: float | None = None
    validation_by_round: list[float] | None = None


@dataclass(frozen=True)
class PolicyResult:
    """One policy's figures. iterations: rounds of a warm tick; cold: every tick starts afresh with N rounds.

    returns, failed (B,): of each episode, for paired differences.
    """

    policy: str
    task: str
    episodes: int
    seed: int
    iterations: int
    cold: bool
    held_out: HeldOutFigures
    flight: FlightFigures
    times: StepTimes
    returns: Array
    failed: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """As rows name it."""
        how = "cold" if self.cold else f"{self.iterations} a tick"
        return f"{self.policy} ({how})" if self.cold or self.iterations != 1 else self.policy

    @property
    def validation_error(self) -> float | None:
        """Mean of cold and streamed L1 error per knot."""
        return self.held_out.validation_error

    def to_json(self) -> dict[str, Any]:
        """A flat dictionary of plain values."""
        parts = ("flight", "times", "held_out", "returns", "failed")
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in parts}
        return flat | self.held_out._asdict() | self.flight._asdict() | self.times._asdict()


class Difference(NamedTuple):
    """first minus second on the same starts: mean return, the returns' means over the expert's (None where
    signs differ), failure rate; each with its 95 % bootstrap interval over pairs."""

    first: str
    second: str
    returns: float
    return_interval: Interval
    normalised: float | None
    normalised_interval: Interval | None
    failures: float
    failure_interval: Interval


def flight_figures(task: Task, flight: Flight, expert: Array) -> FlightFigures:
    """Figures of a batch of flights; expert (B,): its returns from the same starts."""
    rollout, violations = flight.rollout, flight.violations.nan_to_num(posinf=np.inf).numpy()
    reasons = [why for why in rollout.failures if why is not None]
    failed, done = failed_flags(rollout), np.array(success(task, rollout))
    mean, best = float(flight.returns.mean()), float(expert.mean())
    median, p99, largest = np.quantile(violations, (0.5, 0.99, 1.0))
    return FlightFigures(
        mean, mean_interval(flight.returns), best, normalised(mean, best),
        normalised_interval(flight.returns, expert), float(done.mean()), mean_interval(done.astype(float)),
        float(failed.mean()), mean_interval(failed.astype(float)),
        {why: reasons.count(why) for why in sorted(set(reasons))},
        _final_distance(task, rollout), float(median), float(p99), float(largest),
        float((violations > TOLERANCE).mean()), flight.residual.tolist(),
    )  # fmt: skip


def failed_flags(rollout: Rollout) -> NDArray[np.bool_]:
    """Whether each episode failed (B,)."""
    return np.array([why is not None for why in rollout.failures])


def _final_distance(task: Task, flight: Rollout) -> float | None:
    if task.system.position is None:
        return None
    position = slice(task.system.position, task.system.position + 3)
    last = flight.states[:, -round(GOAL_WINDOW / task.dt) :, position]
    return float((last - task.goal[position]).norm(dim=-1).mean(1).nanmean())


def differences(results: list[PolicyResult], expert: Array) -> list[Difference]:
    """Of every pair of results, in order; expert (B,): its returns from the same starts."""
    return [difference(a, b, expert) for a, b in combinations(results, 2)]


class Flown(Protocol):
    """What can be paired: a name, returns (B,) and failures (B,) of the same starts."""

    @property
    def name(self) -> str:
        """As rows name it."""
        ...

    @property
    def returns(self) -> Array:
        """(B,)."""
        ...

    @property
    def failed(self) -> NDArray[Any]:
        """(B,)."""
        ...


def difference(first: Flown, second: Flown, expert: Array) -> Difference:
    """first minus second, paired by episode."""
    gaps = first.returns - second.returns
    failures = first.failed.astype(float) - second.failed
    a, b, best = resampled_means(first.returns, second.returns, expert)
    means = [normalised(float(r.returns.mean()), float(expert.mean())) for r in (first, second)]
    share, interval = None, None
    if means[0] is not None and means[1] is not None:
        share = means[0] - means[1]
        if not ((a * best <= 0.0) | (b * best <= 0.0)).any():
            positive = best[0] > 0.0
            interval = percentiles(a / best - b / best if positive else best / a - best / b)
    return Difference(
        first.name, second.name, float(gaps.mean()), mean_interval(gaps), share, interval,
        float(failures.mean()), mean_interval(failures),
    )  # fmt: skip
