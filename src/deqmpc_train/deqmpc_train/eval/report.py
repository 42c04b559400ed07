"""An evaluation as markdown."""

from collections.abc import Sequence
from typing import Any

from deqmpc_train.eval.evaluate import Evaluation
from deqmpc_train.eval.intervals import Interval
from deqmpc_train.eval.residuals import NAMES, TOLERANCE, WHAT
from deqmpc_train.eval.results import Difference, PolicyResult

_TIMES = ("ms a step", "network", "solver")
HEAD = (
    "policy", "of the expert's return", "return", "failures", "success", "L1 held out", "violation p99",
    *_TIMES,
)  # fmt: skip
_PAIRS = ("first", "second", "returns", "of the expert's return", "failures")


def markdown(evaluation: Evaluation, command: str = "", timed: bool = True) -> str:
    """A table of policies, those of an equilibrium network's residuals, then the paired differences. command:
    what made it; timed: with milliseconds, which mean little where other processes were at work."""
    results = evaluation.results
    task, episodes, seed = results[0].task, results[0].episodes, results[0].seed
    columns = len(HEAD) if timed else -len(_TIMES)
    lines = [
        f"# {task}: {episodes} episodes of seed {seed}", "",
        *([f"Made by `{command}`.", ""] if command else []),
        f"The expert's mean return from the same starts is {evaluation.expert.mean():.2f}. In brackets: 95 % "
        "bootstrap intervals over episodes. L1 held out: mean of a cold tick and streamed ones, per knot."
        + (" ms: medians at B = 1." if timed else ""), "",
        *table(HEAD[:columns], [row(r)[:columns] for r in results]), "", *_fixed_points(results),
    ]  # fmt: skip
    return "\n".join(lines + pair_lines(evaluation.differences))


def _fixed_points(results: Sequence[PolicyResult]) -> list[str]:
    """|d(z) - z| / |d(z)| of equilibrium networks by round."""
    found = {r.policy: r.flight.residual_by_round for r in results if any(r.flight.residual_by_round)}
    if not found:
        return []
    rounds = max(len(values) for values in found.values())
    head = ("residual of the network's fixed point, first tick", *(f"round {i + 1}" for i in range(rounds)))
    return [*table(head, [[name, *(f"{v:.1e}" for v in values)] for name, values in found.items()]), ""]


def pair_lines(differences: Sequence[Difference]) -> list[str]:
    """The paired differences, none without pairs."""
    if not differences:
        return []
    return ["## First minus second, paired by start", "", *table(_PAIRS, [_pair(d) for d in differences]), ""]


def row(result: PolicyResult) -> list[str]:
    """A policy's cells."""
    flight, times = result.flight, result.times
    return [
        result.name, share(flight.normalised_return, flight.normalised_interval),
        f"{flight.return_mean:.2f} {between(flight.return_interval, 2)}",
        f"{flight.failure_rate:.1%} {percent(flight.failure_interval)}", f"{flight.success_rate:.1%}",
        _number(result.validation_error), f"{flight.violation_p99:.1e}",
        *(f"{t:.2f}" for t in times),
    ]  # fmt: skip


def _pair(difference: Difference) -> list[str]:
    return [
        difference.first, difference.second,
        f"{difference.returns:+.2f} {between(difference.return_interval, 2)}",
        share(difference.normalised, difference.normalised_interval, "+"),
        f"{difference.failures:+.1%} {percent(difference.failure_interval)}",
    ]  # fmt: skip


def residual_markdown(name: str, states: int, rounds: list[dict[str, Any]]) -> str:
    """Residuals by round: median, 95th percentile, share below 1e-3."""
    head = ("round", *NAMES, f"all < {TOLERANCE:g}")
    body = [
        [str(r["round"]), *(_residual(r[n]) for n in NAMES), f"{r['all_share']:.1%}"] for r in rounds
    ]
    legend = [f"- {key}: {text}" for key, text in WHAT.items()]
    intro = f"Median / 95th percentile, share of {states} held-out states below {TOLERANCE:g}."
    return "\n".join([f"# {name}: residuals by round", "", intro, "", *legend, "", *table(head, body), ""])


def _residual(values: dict[str, float]) -> str:
    return f"{values['median']:.1e} / {values['p95']:.1e}, {values['share']:.1%}"


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a markdown table."""
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)]


def between(interval: Interval, digits: int) -> str:
    """[low, high]."""
    return f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def percent(interval: Interval) -> str:
    """[low, high] of shares, in percent."""
    return f"[{interval[0]:.1%}, {interval[1]:.1%}]"


def share(value: float | None, interval: Interval | None, sign: str = "") -> str:
    """A return over the expert's with its interval; more digits where that is narrow."""
    if value is None:
        return "signs differ"
    digits = 5 if interval is not None and interval[1] - interval[0] < 2e-3 else 3
    return f"{value:{sign}.{digits}f}" + ("" if interval is None else f" {between(interval, digits)}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
