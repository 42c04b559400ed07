"""Figure 2: returns of the four variants on every task, flown warm."""

import numpy as np

from deqmpc_train.paper.figure import FOUR, PAIRS, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.flown import return_table
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import gains, returns
from deqmpc_train.paper.plot import groups
from deqmpc_train.paper.rule import Finding, Part, Verdict, both, most, together
from deqmpc_train.paper.scale import TASKS
from deqmpc_train.paper.statistics import ABOVE, BELOW, difference, statistic
from deqmpc_train.tuned import rounds_per_tick

_NEAR_BEST = (-0.1, float("inf"))
_OURS_ALONE = "crazyflie"


def grid(plan: Plan) -> Grid:
    """Every task, variant and split; one round a tick, two on qpole_obs (Section 5.1)."""

    def jobs(task: str, variant: str) -> list:
        trained = [plan.training(task, variant, split) for split in plan.scale.splits(task)]
        return [plan.flight(t, rounds_per_tick(task)) for t in trained]

    return {Cell(task, variant): jobs(task, variant) for task in TASKS for variant in FOUR}


def _tasks(results: Results) -> list[str]:
    return [task for task in results.tasks if task != _OURS_ALONE]


def in_most(results: Results) -> Finding:
    """Each of ours above its counterpart on more than half of the paper's tasks."""
    found = [
        most([
            difference(f"{a} less {b} ({task})", results.of(a, task=task), results.of(b, task=task), ABOVE)
            for task in _tasks(results)
        ])
        for a, b in PAIRS
    ]  # fmt: skip
    return both(*found)


def well_everywhere(results: Results) -> Finding:
    """DEQ-MPC-DEQ at most a tenth of the expert's return below the best of the others, on every task of the
    paper's; not where it did not train."""
    parts = []
    for task in _tasks(results):
        ours, others = results.of(FOUR[0], task=task), {v: results.of(v, task=task) for v in FOUR[1:]}
        trained = {v: other for v, other in others.items() if other.top.size}
        if trained and not ours.top.size:
            unknown = (float("nan"), float("nan"))
            parts.append(Part(f"{FOUR[0]} did not train ({task})", float("nan"), unknown, Verdict.DIFFERS))
        elif trained:
            best = max(trained, key=lambda v: trained[v].value)
            parts.append(difference(f"{FOUR[0]} less {best} ({task})", ours, trained[best], _NEAR_BEST))
    return together(parts)


def nn_slightly_better(results: Results) -> Finding:
    """The mean over the paper's tasks of DEQ-MPC-NN less DEQ-MPC-DEQ."""
    pairs = [[results.of(v, task=task) for v in ("deqmpc-nn", "deqmpc-deq")] for task in _tasks(results)]
    value = float(np.mean([nn.value - deq.value for nn, deq in pairs]))
    draws = np.mean([nn.draws() - deq.draws() for nn, deq in pairs], 0)
    return together([statistic("deqmpc-nn less deqmpc-deq, mean over tasks", value, draws, ABOVE)])


def weak_on_cartpole(results: Results) -> Finding:
    """DEQ-MPC-NN below DEQ-MPC-DEQ there."""
    nn, deq = (results.of(v, task="cartpole") for v in ("deqmpc-nn", "deqmpc-deq"))
    return together([difference("deqmpc-nn less deqmpc-deq (cartpole)", nn, deq, BELOW)])


FIGURE = Figure(
    "fig2", "Figure 2: returns in the streaming setting",
    "Mean return over the expert's from the same starts (the other way round where rewards are costs), mean "
    "over splits; every tick warm, one DEQ-MPC iteration or two AL iterations, twice as many on qpole_obs. "
    "The crazyflie is not in the paper's figure, and not counted in claims.",
    Axis("task"), Axis("return / expert's return"), grid, returns,
    (
        Claim("DEQ-MPC returns more than its Diff-MPC counterpart in most environments", "5.1", in_most),
        Claim("DEQ-MPC-DEQ does well in all environments (here: within 0.1 of the best variant)", "5.1",
            well_everywhere),
        Claim("DEQ-MPC-NN falls behind on cartpole", "5.1", weak_on_cartpole),
        Claim("DEQ-MPC-NN is slightly better on average in simulation", "6", nn_slightly_better),
    ),
    groups, return_table, compare=gains,
)  # fmt: skip
