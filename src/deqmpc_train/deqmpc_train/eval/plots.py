"""Pictures of an evaluation."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from deqmpc_train.eval.evaluate import Evaluation
from deqmpc_train.eval.residuals import NAMES, TOLERANCE
from deqmpc_train.eval.results import PolicyResult


def draw(evaluation: Evaluation, folder: Path) -> list[Path]:
    """returns.png, and where there are held-out errors by round rounds.png; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [_returns(evaluation, folder / "returns.png")]
    with_rounds = [r for r in evaluation.results if r.held_out.validation_by_round]
    if with_rounds:
        files.append(_rounds(with_rounds, folder / "rounds.png"))
    return files


def _returns(evaluation: Evaluation, file: Path) -> Path:
    """Returns with their intervals, over the expert's where signs allow it, and failure rates."""
    results = evaluation.results
    figure = Figure(figsize=(9.0, 0.5 * len(results) + 1.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names, places = [r.name for r in results], range(len(results))
    ratio = all(r.flight.normalised_return is not None for r in results)
    for place, r in zip(places, results, strict=True):
        value = r.flight.normalised_return if ratio else r.flight.return_mean
        span = r.flight.normalised_interval if ratio else r.flight.return_interval
        left.plot(value, place, "o", color="C0")
        if span is not None:
            left.plot(span, (place, place), color="C0")
        right.plot(r.flight.failure_rate, place, "o", color="C3")
        right.plot(r.flight.failure_interval, (place, place), color="C3")
    left.axvline(1.0 if ratio else float(evaluation.expert.mean()), color="0.6", linestyle=":")
    left.set_yticks(list(places), names)
    left.invert_yaxis()
    left.set_xlabel("return, expert = 1" if ratio else "return")
    right.set_xlabel("failure rate")
    figure.suptitle(f"{results[0].task}, {results[0].episodes} episodes, 95 % intervals")
    figure.savefig(file, dpi=120)
    return file


def _rounds(results: list[PolicyResult], file: Path) -> Path:
    """Held-out error over the rounds of a cold tick."""
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for r in {r.policy: r for r in results}.values():
        errors = r.held_out.validation_by_round or []
        axes.plot(range(1, len(errors) + 1), errors, "o-", label=r.policy)
    axes.set(xlabel="round of a cold tick", ylabel="L1 error per knot", yscale="log")
    axes.legend()
    figure.savefig(file, dpi=120)
    return file


def draw_residuals(name: str, rounds: list[dict[str, Any]], file: Path) -> Path:
    """Medians and 95th percentiles by round, beside the paper's 1e-3."""
    file.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    numbers = [r["round"] for r in rounds]
    for colour, key in enumerate(NAMES):
        for kind, line, label in (("median", "o-", key), ("p95", "--", None)):
            values = [max(r[key][kind], 1e-9) for r in rounds]
            axes.plot(numbers, values, line, color=f"C{colour}", label=label)
    axes.axhline(TOLERANCE, color="0.6", linestyle=":")
    axes.set(xlabel="round", ylabel="residual (dashed: 95th percentile)", yscale="log", title=name)
    axes.legend()
    figure.savefig(file, dpi=120)
    return file
