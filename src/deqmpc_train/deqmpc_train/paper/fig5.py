"""Figure 5: return against the obstacles' radius, without warm starts."""

from deqmpc_train.config import Overrides
from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid
from deqmpc_train.paper.flown import return_table
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import gains, returns
from deqmpc_train.paper.statistics import ABOVE, better, growing

TASK = "qpole_obs"
COLD_ONLY = Overrides(stream_steps=0)
USUAL = 0.5  # m, the radius of the task without options


def grid(plan: Plan) -> Grid:
    """Trained, and flown, at each radius, every tick cold."""
    radii = plan.scale.pick(smoke=(0.2, 0.5), laptop=(0.2, 0.35, 0.5), paper=(0.2, 0.3, 0.4, 0.5))
    return {
        Cell(TASK, variant, r): [
            plan.flight(plan.training(TASK, variant, overrides=COLD_ONLY, options=of_radius(r)), cold=True)
        ]
        for variant in FOUR
        for r in radii
    }


def of_radius(radius: float) -> dict[str, float]:
    """The task's options."""
    return {} if radius == USUAL else {"obstacle_radius": radius}


FIGURE = Figure(
    "fig5", "Figure 5: constraint hardness",
    "Mean return over the expert's amid 40 spheres; training and flights without warm starts. Generated data "
    "are flown amid spheres of the same radius; a given data set (--data) stands for all radii.",
    Axis("obstacle radius [m]"), Axis("return / expert's return"), grid, returns,
    (
        Claim("DEQ-MPC returns more than Diff-MPC at every radius", "5.2.1", better(ABOVE)),
        Claim("its lead grows with the radius", "5.2.1", growing(ABOVE)),
    ),
    tables=return_table, compare=gains,
)  # fmt: skip
