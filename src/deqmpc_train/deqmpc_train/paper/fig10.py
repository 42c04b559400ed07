"""Figure 10: validation error by augmented-Lagrangian iteration of a cold tick."""

from collections.abc import Sequence
from typing import Any

from deqmpc_train.paper.figure import FOUR, PAIRS, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, known, stacked
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import BELOW, IMPROVING, SATURATED, change, gain, lead

TASK, EARLY, KNEE = "qpole", 2, 4


def grid(plan: Plan) -> Grid:
    """The policies of Figure 2; all points of a line come from one job."""
    cells = {}
    for variant in FOUR:
        training = plan.training(TASK, variant)
        policy = training.config["train"]["policy"]
        for iteration in range(1, policy["rounds"] * policy["al_iterations"] + 1):
            cells[Cell(TASK, variant, iteration)] = [plan.errors(training)]
    return cells


def measure(cell: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The error after AL iteration x."""
    return stacked([(told["iterations"][int(cell.x) - 1], told["windows"]) for told in known(found)])


def early(results: Results) -> Finding:
    """DEQ-MPC below Diff-MPC after the first two iterations."""
    return together(lead(results, EARLY, BELOW))


def after_the_fourth(results: Results) -> Finding:
    """The lead at the last iteration is larger than at the fourth."""
    return together([change(results, a, b, KNEE, results.xs[-1], BELOW) for a, b in PAIRS])


def goes_on(results: Results) -> Finding:
    """DEQ-MPC's error falls by 5 % or more after the fourth iteration, Diff-MPC's by less."""
    parts = []
    for variant in FOUR:
        before, after = results.of(variant, KNEE), results.of(variant, results.xs[-1])
        band = IMPROVING if variant.startswith("deqmpc") else SATURATED
        parts.append(gain(f"{variant} falls by, after iteration {KNEE}", before, after, band))
    return together(parts)


FIGURE = Figure(
    "fig10", "Figure 10: error by AL iteration",
    "L1 error a knot after each AL iteration of a cold tick, on the held-out tenth of the qpole data. "
    "DEQ-MPC asks its network before every second iteration, Diff-MPC before the first alone.",
    Axis("AL iteration"), Axis("held-out L1 error a knot [state units]", log=True), grid, measure,
    (
        Claim("DEQ-MPC errs less from the early iterations on", "A.1", early),
        Claim("the lead is larger after the fourth iteration", "A.1", after_the_fourth),
        Claim("then DEQ-MPC improves on and Diff-MPC saturates", "A.1", goes_on),
    ),
)  # fmt: skip
