"""Figure 2: returns of the four variants on every task, flown warm."""

from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import returns
from deqmpc_train.paper.plot import groups
from deqmpc_train.paper.rule import Finding, most, together
from deqmpc_train.paper.scale import TASKS
from deqmpc_train.paper.statistics import ABOVE, BELOW, better, difference
from deqmpc_train.tuned import rounds_per_tick

_NEAR_BEST = (-0.1, float("inf"))


def grid(plan: Plan) -> Grid:
    """Every task, variant and split; one round a tick, two on qpole_obs (Section 5.1)."""

    def jobs(task: str, variant: str) -> list:
        trained = [plan.training(task, variant, split) for split in plan.scale.splits(task)]
        return [plan.flight(t, rounds_per_tick(task)) for t in trained]

    return {Cell(task, variant): jobs(task, variant) for task in TASKS for variant in FOUR}


def well_everywhere(results: Results) -> Finding:
    """DEQ-MPC-DEQ at most a tenth of the expert's return below the best of the others, on every task."""
    parts = []
    for task in results.tasks:
        best = max(FOUR[1:], key=lambda v: results.of(v, task=task).value)
        ours, other = (results.of(v, task=task) for v in (FOUR[0], best))
        parts.append(difference(f"{FOUR[0]} less {best} ({task})", ours, other, _NEAR_BEST))
    return together(parts)


def weak_on_cartpole(results: Results) -> Finding:
    """DEQ-MPC-NN below DEQ-MPC-DEQ there."""
    nn, deq = (results.of(v, task="cartpole") for v in ("deqmpc-nn", "deqmpc-deq"))
    return together([difference("deqmpc-nn less deqmpc-deq (cartpole)", nn, deq, BELOW)])


FIGURE = Figure(
    "fig2", "Figure 2: returns in the streaming setting",
    "Mean return over the expert's from the same starts (the other way round where rewards are costs), mean "
    "over splits; every tick warm, one DEQ-MPC iteration or two AL iterations, twice as many on qpole_obs. "
    "The crazyflie is not in the paper's figure.",
    Axis("task"), Axis("return / expert's return"), grid, returns,
    (
        Claim("DEQ-MPC returns more than its Diff-MPC counterpart in most environments", "5.1",
            better(ABOVE, joined=most)),
        Claim("DEQ-MPC-DEQ does well in all environments (here: within 0.1 of the best variant)", "5.1",
            well_everywhere),
        Claim("DEQ-MPC-NN falls behind on cartpole", "5.1", weak_on_cartpole),
    ),
    groups,
)  # fmt: skip
