"""Appendix A.3: milliseconds a step, network and solver."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from deqmpc_train.eval.report import table
from deqmpc_train.paper.figure import FOUR, PAIRS, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, known, mean
from deqmpc_train.paper.plot import NAMES, legend
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import statistic

TASK = "qpole"
PAPER = {"deqmpc-deq": 86.6, "deqmpc-nn": 71.2, "diffmpc-deq": 88.8, "diffmpc-nn": 61.6}  # ms, A.3
ALIKE, MOST, TEN_HERTZ = (0.8, 1.25), (0.5, 1.0), (0.0, 100.0)


def grid(plan: Plan) -> Grid:
    """The policies of Figure 2, in turns, on a machine that does nothing else meanwhile."""
    times = plan.times({variant: plan.training(TASK, variant) for variant in FOUR})
    return {Cell(TASK, variant): [times] for variant in FOUR}


def of(key: str, variant: str, found: Sequence[dict[str, Any]]) -> Measured:
    """Mean over flights of the medians over a flight's warm ticks [ms]."""
    return mean([value for told in known(found) for value in told.get(variant, {}).get(key, [])])


def total(cell: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The whole step."""
    return of("total", cell.variant, found)


def alike(results: Results) -> Finding:
    """The time of each of ours over that of its counterpart."""
    parts = []
    for a, b in PAIRS:
        ours, other = results.of(a), results.of(b)
        parts.append(
            statistic(f"{a} over {b}", ours.value / other.value, ours.draws() / other.draws(), ALIKE)
        )
    return together(parts)


def solver_most(results: Results) -> Finding:
    """The solver's share of the step."""
    parts = []
    for variant in FOUR:
        solver, whole = of("solver", variant, results.found[Cell(TASK, variant)]), results.of(variant)
        share, draws = solver.value / whole.value, solver.draws() / whole.draws()
        parts.append(statistic(f"solver's share of {variant}", share, draws, MOST))
    return together(parts)


def fast_enough(results: Results) -> Finding:
    """Below 100 ms."""
    return together(
        [statistic(f"{v} [ms]", results.of(v).value, results.of(v).draws(), TEN_HERTZ) for v in FOUR]
    )


def bars(results: Results, canvas: Canvas) -> None:
    """Network and solver, one on the other; the line is the whole step's interval."""
    axes = canvas.subplots()
    places = np.arange(len(FOUR))
    network, solver = (
        [of(k, v, results.found[Cell(TASK, v)]).value for v in FOUR] for k in ("network", "solver")
    )
    axes.bar(places, solver, 0.55, color="#0072B2", label="solver")
    axes.bar(places, network, 0.55, bottom=solver, color="#E69F00", hatch="//", label="network")
    below = np.add(solver, network)
    rest = [results.of(v).value - b for v, b in zip(FOUR, below, strict=True)]
    axes.bar(places, rest, 0.55, bottom=below, color="0.8", label="rest")
    for place, variant in zip(places, FOUR, strict=True):
        axes.plot((place, place), results.of(variant).interval, color="black", linewidth=2.0)
    axes.set_xticks(places, [NAMES[v] for v in FOUR])
    axes.set_ylabel("time of a warm step at B = 1 [ms]")
    legend(canvas, axes)


def tables(results: Results) -> list[str]:
    """Network, solver, and the paper's on its machine."""
    body = []
    for v in FOUR:
        parts = (of(k, v, results.found[Cell(TASK, v)]).value for k in ("network", "solver", "total"))
        body.append([NAMES[v], *(f"{p:.2f}" for p in parts), f"{PAPER[v]:.1f}"])
    return [
        "",
        *table(("variant", "network [ms]", "solver [ms]", "step [ms]", "the paper's step [ms]"), body),
    ]


FIGURE = Figure(
    "timing", "Appendix A.3: time of a step",
    "Medians over the warm ticks of a flight at B = 1 on one thread of the CPU, mean over flights, which the "
    "variants fly in turns; two AL iterations a tick. The paper's solver is PyTorch code, ours compiled, and "
    "its task is not named: milliseconds and the solver's share do not compare, ratios of variants do. Rest: "
    "what is neither network nor solver.",
    Axis("variant"), Axis("time of a warm step [ms]"), grid, total,
    (
        Claim("DEQ-MPC and Diff-MPC take about as long (here: a ratio of 0.8 to 1.25)", "A.3", alike),
        Claim("the solver takes most of the time", "A.3", solver_most),
        Claim("policies run at more than 10 Hz", "A.3", fast_enough),
    ),
    bars, tables,
)  # fmt: skip
