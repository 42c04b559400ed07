"""Figure 9: validation error against the horizon."""

from deqmpc_train.config import Overrides
from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import errors
from deqmpc_train.paper.statistics import BELOW, better, growing

TASK = "qpole"
DEQ_OVER_NN = (("deqmpc-deq", "deqmpc-nn"),)


def grid(plan: Plan) -> Grid:
    """Four variants at every horizon T."""
    horizons = plan.scale.pick(smoke=(3, 8), laptop=(3, 5, 8, 12), paper=(3, 5, 8, 10, 12))
    return {
        Cell(TASK, variant, t): [plan.errors(plan.training(TASK, variant, overrides=Overrides(horizon=t)))]
        for variant in FOUR
        for t in horizons
    }


FIGURE = Figure(
    "fig9", "Figure 9: time horizon",
    "L1 error a knot on the held-out tenth of the qpole data.",
    Axis("horizon T [intervals of 0.05 s]"), Axis("held-out L1 error a knot [state units]", log=True), grid,
    errors,
    (
        Claim("DEQ-MPC errs less than Diff-MPC at every horizon", "A.1", better(BELOW)),
        Claim("the lead of DEQ-MPC-DEQ over DEQ-MPC-NN grows with the horizon", "A.1",
            growing(BELOW, DEQ_OVER_NN)),
    ),
)  # fmt: skip
