"""Figure 6: validation curves with and without tight control limits."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas

from deqmpc_core.tasks import load_task
from deqmpc_train.config import Overrides
from deqmpc_train.paper.figure import Axis, Cell, Claim, Figure, Grid, Results
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.measured import Measured, mean
from deqmpc_train.paper.plot import legend, plain_numbers, style
from deqmpc_train.paper.rule import Finding, together
from deqmpc_train.paper.statistics import ABOVE, STABLE, instability, instability_table, over_trainings

TASK, TIGHT, WIDE = "qpole", 0.5, 1.0
BOTH = ("deqmpc-deq", "diffmpc-deq")


def grid(plan: Plan) -> Grid:
    """x: the share of the default control range (tight: half of it; the paper does not say)."""
    every = plan.scale.pick(smoke=5, laptop=50, paper=500)
    steps = plan.scale.pick(smoke=None, laptop=1000, paper=None)
    often = Overrides(validate_every=every, steps=steps, ema=0.0)
    splits = plan.scale.pick(smoke=(0,), laptop=(0, 1, 2), paper=(0, 1, 2))
    default = float(load_task(TASK).u_hi[0])
    options = {WIDE: {}, TIGHT: {"u_max": TIGHT * default}}
    data = plan.data_set(TASK)
    return {
        Cell(TASK, v, x): [plan.training(TASK, v, s, often, options[x], data) for s in splits]
        for v in BOTH
        for x in (WIDE, TIGHT)
    }


def last(_: Cell, found: Sequence[dict[str, Any]]) -> Measured:
    """The error at the end of training."""
    ends = [told["curve"][-1]["error"] for told in found if told["curve"] and not told["stopped"]]
    return mean(ends if len(ends) == len(found) else [])


def curves(results: Results, canvas: Canvas) -> None:
    """Every training's curve."""
    panels = canvas.subplots(1, 2, sharey=True)
    for axes, x in zip(panels, (WIDE, TIGHT), strict=True):
        for variant in BOTH:
            look = style(variant)
            for told in results.found[Cell(TASK, variant, x)]:
                steps, errors = ([p[k] for p in told["curve"]] for k in ("step", "error"))
                axes.plot(steps, errors, **look)  # type: ignore[arg-type]
                look = look | {"label": "_"}
        axes.set(
            xlabel="training step", yscale="log", title="tight limits" if x == TIGHT else "default limits"
        )
    plain_numbers(panels[0])
    panels[0].set_ylabel(results.figure.y.label)
    legend(canvas, panels[1])


def of(results: Results, variant: str, x: float) -> list[float]:
    """Instability of each training."""
    return [instability(told) for told in results.found[Cell(TASK, variant, x)]]


def shakier(results: Results) -> Finding:
    """Instability of Diff-MPC-DEQ less that of DEQ-MPC-DEQ, tight, paired by split."""
    ours, other = (of(results, v, TIGHT) for v in BOTH)
    gaps = [b - a for a, b in zip(ours, other, strict=True)]
    return together([over_trainings("instability of diffmpc-deq less deqmpc-deq, tight", gaps, ABOVE)])


def calm(results: Results) -> Finding:
    """Both stable at the default limits."""
    return together(
        [over_trainings(f"instability of {v}, default", of(results, v, WIDE), STABLE) for v in BOTH]
    )


FIGURE = Figure(
    "fig6", "Figure 6: validation error in training, with default and tight control limits",
    "L1 error a knot on the held-out tenth during training on the same qpole data; tight: u_max is half the "
    "default one. Instability: the largest ratio of an error to the least before it, 100 for a training that "
    "stopped. The weights are those of the step, not averaged; gradients are clipped and the rate falls by a "
    "cosine, which calms both. On a laptop 1000 steps.",
    Axis("share of the control range"), Axis("held-out L1 error a knot [state units]"), grid, last,
    (
        Claim("with tight limits Diff-MPC-DEQ is less stable than DEQ-MPC-DEQ", "5.2.2", shakier),
        Claim("without them both are stable (here: instability at most 1.5)", "5.2.2", calm),
    ),
    curves, instability_table,
)  # fmt: skip
