"""Table 1: flights of the Crazyflie, here the simulated one with its whole stack, beside untrained pilots."""

import math
from collections.abc import Sequence
from typing import Any

from deqmpc_train.eval.report import table
from deqmpc_train.paper.figure import FOUR, Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.flown import rate
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, gains, known, returns
from deqmpc_train.paper.plot import NAMES, groups
from deqmpc_train.paper.rule import Finding, Interval, Part, newcombe, part, together, wilson
from deqmpc_train.paper.statistics import ABOVE, better

TASK, AS_THE_PAPER = "crazyflie", 3
PILOTS = ("hover", "straight-line", "goal-mpc")
PAPER = {
    "diffmpc-nn": (0.82, 33.33),
    "diffmpc-deq": (0.86, 33.33),
    "deqmpc-nn": (0.93, 33.33),
    "deqmpc-deq": (0.93, 0.0),
}
NO_FAILURES = (0.0, 0.02)


def grid(plan: Plan) -> Grid:
    """The policies of Figure 2 from the same starts, blocks of flights, one seed each; pilots that no one
    trained fly the first block."""
    blocks = range(math.ceil(plan.scale.flights / plan.scale.block))
    trained = {
        Cell(TASK, variant): [plan.simulation(plan.training(TASK, variant), block) for block in blocks]
        for variant in FOUR
    }
    return trained | {Cell(TASK, pilot): [plan.piloted(TASK, pilot, 0)] for pilot in PILOTS}


def pooled(found: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """All flights of a policy, in order."""
    told = known(found)
    keys = ("returns", "expert", "failed", "success")
    return {key: [v for block in told for v in block[key]] for key in keys}


def measure(_: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """Mean return over the expert's."""
    return returns(None, [pooled(found)] if known(found) else [])


def compare(_: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The same without regard to signs."""
    return gains(None, [pooled(found)] if known(found) else [])


def failures(results: Results, variant: str) -> tuple[float, Interval]:
    """The share of flights that failed, with its interval."""
    failed = pooled(results.found[Cell(TASK, variant)])["failed"]
    share = sum(failed) / len(failed) if failed else math.nan
    return share, wilson(sum(failed), len(failed))


def _none(results: Results, variant: str) -> Part:
    return part(f"failure rate of {variant}", *failures(results, variant), NO_FAILURES)


def reliable(results: Results) -> Finding:
    """DEQ-MPC-DEQ never fails."""
    return together([_none(results, "deqmpc-deq")])


def both_reliable(results: Results) -> Finding:
    """Neither DEQ-MPC variant fails."""
    return together([_none(results, v) for v in FOUR[:2]])


def others_fail(results: Results) -> Finding:
    """Diff-MPC fails more often than DEQ-MPC-DEQ."""
    ours, span = failures(results, FOUR[0])
    parts = []
    for v in FOUR[2:]:
        theirs, interval = failures(results, v)
        gap = newcombe(interval, theirs, span, ours)
        parts.append(part(f"failure rate of {v} less deqmpc-deq", theirs - ours, gap, ABOVE))
    return together(parts)


def tables(results: Results) -> list[str]:
    """The paper's three flights on the drone, our first three, and all."""
    head = ("variant", "paper: return", "paper: failures", "ours, first 3: return", "failures",
            "ours, all: return", "failures", "flights")  # fmt: skip
    body = []
    for v in (*FOUR, *PILOTS):
        flown = pooled(results.found[Cell(TASK, v)])
        few = {key: values[:AS_THE_PAPER] for key, values in flown.items()}
        cells = [c for part_ in (few, flown) for c in _cells(part_)]
        theirs = [f"{PAPER[v][0]:.2f}", f"{PAPER[v][1]:.1f} %"] if v in PAPER else ["", ""]
        body.append([NAMES[v], *theirs, *cells, str(len(flown["failed"]))])
    return ["", *table(head, body)]


def _cells(flown: dict[str, list[Any]]) -> list[str]:
    if not flown["failed"]:
        return ["did not train", ""]
    return [f"{sum(flown['returns']) / sum(flown['expert']):.3f}", rate(flown["failed"])]


FIGURE = Figure(
    "table1", "Table 1: the Crazyflie amid 40 spheres",
    "The simulated Crazyflie with motion capture, firmware, commander and policy in the lock-step of "
    "`deqmpc sim --speed max`, here in one process, where the paper flew the drone three times. After a "
    "failure rewards are zero. Return: over the expert's from the same starts in the batch environment.",
    Axis("task"), Axis("return / expert's return"), grid, measure,
    (
        Claim("DEQ-MPC returns more than Diff-MPC", "5.3, Table 1", better(ABOVE)),
        Claim("DEQ-MPC-DEQ has no failures (here: at most 2 %)", "Table 1, A.7", reliable),
        Claim("no DEQ-MPC variant has failures; the paper contradicts itself: its Table 1 has 33 % for "
              "DEQ-MPC-NN, and A.7 tells of its collision", "5.3, text", both_reliable),
        Claim("Diff-MPC fails more often than DEQ-MPC-DEQ", "Table 1", others_fail),
    ),
    groups, tables, pooled=True, compare=compare,
)  # fmt: skip
