"""Figure 3: validation error against the size of the data set."""

from deqmpc_train.paper.figure import FOUR, PAIRS, SIX, Axis, Cell, Claim, Figure, Grid
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import errors
from deqmpc_train.paper.statistics import BELOW, IMPROVING, SATURATED, better, improving

TASK = "qpole"


def grid(plan: Plan) -> Grid:
    """Six variants on shares of one data set, all judged on its held-out tenth: no training saw it, but
    every learning rate, and the whole data set's weights, were chosen by it."""
    shares = plan.scale.pick(smoke=(0.5, 1.0), laptop=(0.1, 0.3, 1.0), paper=(0.05, 0.1, 0.25, 0.5, 1.0))
    whole = plan.data_set(TASK)
    return {
        Cell(TASK, variant, share): [
            plan.errors(plan.training(TASK, variant, data=plan.part_of(whole, share)), whole)
        ]
        for variant in SIX
        for share in shares
    }


FIGURE = Figure(
    "fig3", "Figure 3: generalisation",
    "L1 error a knot on the held-out tenth of the qpole data, mean of a cold tick and streamed ones. A share "
    "of the training trajectories is cut 9 : 1 again for its own choice of weights; all of them (1) are not. "
    "Improving: by 5 % or more at the last step.",
    Axis("share of the training trajectories", log=True),
    Axis("held-out L1 error a knot [state units]", log=True), grid, errors,
    (
        Claim("DEQ-MPC errs less than Diff-MPC, with small data sets too", "5.2.1", better(BELOW, PAIRS)),
        Claim("DEQ-MPC keeps improving with more data", "5.2.1", improving(FOUR[:2], IMPROVING)),
        Claim("Diff-MPC saturates (here: falls by less than 5 % at the last step)", "5.2.1",
            improving(FOUR[2:], SATURATED)),
        Claim("DEQ and NN without MPC saturate", "5.2.1", improving(SIX[4:], SATURATED)),
    ),
)  # fmt: skip
