"""Appendix A.2: residuals of the alternation by round."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from deqmpc_train.config import Overrides
from deqmpc_train.eval.report import residual_markdown
from deqmpc_train.eval.residuals import NAMES, TOLERANCE
from deqmpc_train.paper.figure import Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, known, mean
from deqmpc_train.paper.plot import legend
from deqmpc_train.paper.rule import Finding, part, together, wilson

TASK, VARIANT, PLAIN, JOINED = "qpole_obs", "deqmpc-deq", 0.0, 3.0
NEARLY_ALL = (0.95, 1.0)
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKERS = ("o", "^", "D", "s")


def grid(plan: Plan) -> Grid:
    """x: joint_weight, the loss's term on what the plan moves from round to round, not in the paper."""
    return {
        Cell(TASK, VARIANT, w): [
            plan.residuals(plan.training(TASK, VARIANT, overrides=Overrides(joint_weight=w or None)))
        ]
        for w in (PLAIN, JOINED)
    }


def measure(_: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The share of states at which all residuals are small after the last round."""
    return mean(
        [float(all(values)) for told in known(found) for values in zip(*_small(told).values(), strict=True)]
    )


def _small(told: dict[str, Any]) -> dict[str, list[bool]]:
    return {name: [v < TOLERANCE for v in told["last"][name]] for name in NAMES}


def converges(results: Results) -> Finding:
    """Each kind of residual is small at nearly all states, without a joint weight."""
    parts = []
    for told in known(results.found[Cell(TASK, VARIANT, PLAIN)]):
        for name, small in _small(told).items():
            share, interval = sum(small) / len(small), wilson(sum(small), len(small))
            parts.append(
                part(f"share of states with {name} below {TOLERANCE:g}", share, interval, NEARLY_ALL)
            )
    return together(parts)


def draw(results: Results, canvas: Canvas) -> None:
    """Medians, and 95th percentiles dashed, by round."""
    panels = canvas.subplots(1, 2, sharey=True)
    for axes, (cell, found) in zip(panels, results.found.items(), strict=True):
        for told in known(found):
            numbers = [r["round"] for r in told["rounds"]]
            for name, colour, marker in zip(NAMES, _COLOURS, _MARKERS, strict=True):
                for key, line, text in (("median", "-", name), ("p95", "--", "_")):
                    values = [max(r[name][key], 1e-9) for r in told["rounds"]]
                    axes.plot(numbers, values, line, marker=marker, color=colour, label=text)
        axes.axhline(TOLERANCE, color="0.3", linestyle=":")
        axes.set(xlabel="DEQ-MPC iteration", yscale="log", title=f"joint weight {cell.x:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("residual (dashed: 95th percentile)")
    legend(canvas, panels[1])


def tables(results: Results) -> list[str]:
    """By round and kind."""
    lines = []
    for cell, found in results.found.items():
        for told in known(found):
            name = f"{VARIANT}, joint weight {cell.x:g}"
            page = residual_markdown(name, len(told["last"]["joint"]), told["rounds"])
            lines += ["", *page.replace("# ", "## ", 1).splitlines()]
    return lines


FIGURE = Figure(
    "convergence", "Appendix A.2: convergence on qpole_obs",
    "Residuals of a cold tick of DEQ-MPC-DEQ by round at held-out states: trained as for every other figure "
    "(joint weight 0), and with 3 times the plan's change from round to round added to the loss. Here "
    "alone the network's fixed points are solved to 1e-4 (50 evaluations at most); policies stop at 1e-2.",
    Axis("joint weight"), Axis("share of states with all residuals below 1e-3 at the last round"), grid,
    measure,
    (
        Claim("all residuals fall below 1e-3 within 6 iterations (here: at 95 % of the states, each kind)",
              "A.2", converges),
    ),
    draw, tables,
)  # fmt: skip
