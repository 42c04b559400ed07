"""Figure 8: return against the iterations a warm tick may spend."""

from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.flown import return_table
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import gains, returns
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import ABOVE, BELOW, growing, lead

TASK = "qpole"


def grid(plan: Plan) -> Grid:
    """The policies of Figure 2, flown with 1 to 6 rounds a tick."""
    rounds = plan.scale.pick(smoke=(1, 2), laptop=(1, 2, 3, 4, 6), paper=(1, 2, 3, 4, 6))
    return {
        Cell(TASK, variant, n): [plan.flight(plan.training(TASK, variant), n)]
        for variant in FOUR
        for n in rounds
    }


def ahead(results: Results) -> Finding:
    """DEQ-MPC returns more at the fewest iterations."""
    return together(lead(results, results.xs[0], ABOVE))


FIGURE = Figure(
    "fig8", "Figure 8: warm starts",
    "Mean return over the expert's on qpole; n DEQ-MPC iterations, or 2n AL iterations of Diff-MPC, a warm "
    "tick. All policies were trained with one (L = 2 streamed ticks).",
    Axis("DEQ-MPC iterations a tick (two AL iterations each)"), Axis("return / expert's return"), grid,
    returns,
    (
        Claim("DEQ-MPC's lead over Diff-MPC widens as iterations get fewer", "5.2.3", growing(BELOW)),
        Claim("with one iteration DEQ-MPC returns more", "5.2.3", ahead),
    ),
    tables=return_table, compare=gains,
)  # fmt: skip
