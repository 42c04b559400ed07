"""Figure 7: the velocity weight in Q against the best validation error and instability."""

from collections.abc import Sequence
from typing import Any

from deqmpc_train.config import Overrides
from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, mean
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import (
    ABOVE,
    BELOW,
    STABLE,
    instability,
    instability_table,
    over_trainings,
)

TASK = "qpole"


def grid(plan: Plan) -> Grid:
    """x: the weight of all rates in Q, 1 by default; smaller is worse conditioned."""
    weights = plan.scale.pick(smoke=(0.1, 1.0), laptop=(0.01, 0.1, 1.0), paper=(0.001, 0.01, 0.1, 1.0, 10.0))
    often = Overrides(validate_every=plan.scale.pick(smoke=5, laptop=50, paper=500), ema=0.0)
    splits, data = plan.scale.pick(smoke=(0,), laptop=(0,), paper=(0, 1, 2)), plan.data_set(TASK)
    return {
        Cell(TASK, v, s): [
            plan.training(TASK, v, n, often, {} if s == 1.0 else {"velocity_weight": s}, data) for n in splits
        ]
        for v in FOUR
        for s in weights
    }


def best(_: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The least error of each training."""
    least = [told["validation_error"] for told in found]
    return mean([] if None in least else least)


def of(results: Results, variant: str, x: float) -> list[float]:
    """Instability of each training."""
    return [instability(t) for t in results.found[Cell(TASK, variant, x)]]


def sensitive(results: Results) -> Finding:
    """Instability at the smallest weight less that at the largest."""
    low, high = results.xs[0], results.xs[-1]
    parts = []
    for v in FOUR[1:]:
        rise = [a - b for a, b in zip(of(results, v, low), of(results, v, high), strict=True)]
        parts.append(over_trainings(f"instability of {v}, {low:g} less {high:g}", rise, ABOVE))
    return together(parts)


def widest(results: Results) -> Finding:
    """How many weights DEQ-MPC-DEQ is stable at, less the most of any other."""

    def stable(variant: str) -> list[int]:
        columns = zip(*(of(results, variant, x) for x in results.xs), strict=True)
        return [sum(value <= STABLE[1] for value in column) for column in columns]

    others = [max(counts) for counts in zip(*(stable(v) for v in FOUR[1:]), strict=True)]
    lead = [float(a - b) for a, b in zip(stable(FOUR[0]), others, strict=True)]
    return together(
        [over_trainings("stable weights of deqmpc-deq less the most of another", lead, ABOVE)]
    )


def nn_best(results: Results) -> Finding:
    """DEQ-MPC-NN's best error less that of each other, at the largest weight."""
    parts = []
    for v in ("deqmpc-deq", "diffmpc-deq", "diffmpc-nn"):
        pairs = [(_best(results, "deqmpc-nn", i), _best(results, v, i)) for i in range(_trainings(results))]
        parts.append(over_trainings(f"deqmpc-nn less {v}", [a - b for a, b in pairs], BELOW))
    return together(parts)


def _best(results: Results, variant: str, training: int) -> float:
    error = results.found[Cell(TASK, variant, results.xs[-1])][training]["validation_error"]
    return float("nan") if error is None else error


def _trainings(results: Results) -> int:
    return len(next(iter(results.found.values())))


FIGURE = Figure(
    "fig7", "Figure 7: sensitivity to the velocity weight in Q",
    "Least L1 error a knot of a training on the held-out tenth of the qpole data. Instability: the largest "
    "ratio of an error during training to the least before it, 100 for a training that stopped; stable: "
    "at most 1.5. The weights are those of the step, not averaged.",
    Axis("weight of the rates in Q", log=True), Axis("best held-out L1 error a knot [state units]", log=True),
    grid, best,
    (
        Claim("lower velocity weights make training less stable", "5.2.2", sensitive),
        Claim("DEQ-MPC-DEQ is stable over the largest range", "5.2.2", widest),
        Claim("DEQ-MPC-NN does best where Q is well conditioned", "5.2.2", nn_best),
    ),
    None, instability_table,
)  # fmt: skip
