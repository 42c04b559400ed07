"""Figure 4: validation error against the network's width."""

from deqmpc_train.config import Overrides
from deqmpc_train.paper.figure import FOUR, PAIRS, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import errors
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import ABOVE, BELOW, SATURATED, better, improving, statistic

TASK = "qpole"


def grid(plan: Plan) -> Grid:
    """Four variants at every width; the paper's are 128 to 1024."""
    widths = plan.scale.pick(smoke=(8, 16), laptop=(32, 64, 128), paper=(128, 256, 512, 1024))
    return {
        Cell(TASK, variant, h): [plan.errors(plan.training(TASK, variant, overrides=Overrides(hidden=h)))]
        for variant in FOUR
        for h in widths
    }


def gains_more(results: Results) -> Finding:
    """The share by which the error falls from the narrowest to the widest, less that of Diff-MPC."""
    first, last, parts = results.xs[0], results.xs[-1], []
    for a, b in PAIRS:
        (a0, a1), (b0, b1) = ((results.of(v, first), results.of(v, last)) for v in (a, b))
        value = b1.value / b0.value - a1.value / a0.value
        draws = b1.draws() / b0.draws() - a1.draws() / a0.draws()
        parts.append(statistic(f"fall of {a} less that of {b}, {first:g} to {last:g}", value, draws, ABOVE))
    return together(parts)


FIGURE = Figure(
    "fig4", "Figure 4: network capacity",
    "L1 error a knot on the held-out tenth of the qpole data. All widths use the learning rate chosen at the "
    "budget's own width.",
    Axis("hidden size", log=True), Axis("held-out L1 error a knot [state units]", log=True), grid, errors,
    (
        Claim("DEQ-MPC gains more from capacity than Diff-MPC", "5.2.1", gains_more),
        Claim("Diff-MPC saturates (here: falls by less than 5 % at the last step; the paper: beyond 512)",
            "5.2.1", improving(FOUR[2:], SATURATED)),
        Claim("DEQ-MPC errs less at every width", "5.2.1", better(BELOW)),
    ),
)  # fmt: skip
