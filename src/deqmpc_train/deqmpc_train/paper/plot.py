"""How figures look: legible in print, in colours that the colour-blind tell apart, with the command below."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from deqmpc_train.paper.figure import Axis, Results

# Okabe and Ito's palette; a marker and a line of its own besides, for prints without colour.
STYLES: dict[str, tuple[str, str, str]] = {
    "deqmpc-deq": ("#0072B2", "o", "-"),
    "deqmpc-nn": ("#56B4E9", "s", "-"),
    "diffmpc-deq": ("#D55E00", "^", "--"),
    "diffmpc-nn": ("#E69F00", "v", "--"),
    "deq": ("#009E73", "D", ":"),
    "nn": ("#000000", "x", ":"),
    "hover": ("#999999", "1", ":"),
    "straight-line": ("#999999", "2", ":"),
    "goal-mpc": ("#CC79A7", "*", ":"),
}
NAMES = {
    "deqmpc-deq": "DEQ-MPC-DEQ", "deqmpc-nn": "DEQ-MPC-NN", "diffmpc-deq": "Diff-MPC-DEQ",
    "diffmpc-nn": "Diff-MPC-NN", "deq": "DEQ", "nn": "NN",
    "hover": "hover", "straight-line": "straight line", "goal-mpc": "goal MPC",
}  # fmt: skip
_SIZE, _DPI = (6.5, 4.0), 200  # inches
_STYLE: Any = {
    "font.size": 9.0, "axes.titlesize": 10.0, "axes.labelsize": 9.0, "legend.fontsize": 8.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "0.9",
    "axes.axisbelow": True, "lines.markersize": 5.0, "lines.linewidth": 1.4,
}  # fmt: skip


def save(results: Results, file: Path, command: str) -> None:
    """The figure as a picture."""
    figure = results.figure
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=_SIZE, layout="constrained")
        (figure.draw or lines)(results, canvas)
        canvas.suptitle(figure.title, fontsize=10.0)
        canvas.supxlabel(f"made by: {command}", fontsize=7.0, color="0.35")
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}")
        canvas.savefig(fresh, dpi=_DPI, format="png", metadata={"Software": None})
        fresh.replace(file)


def lines(results: Results, canvas: Canvas) -> None:
    """A line a variant over x, with its 95 % intervals."""
    axes = canvas.subplots()
    for i, variant in enumerate(results.variants):
        cells = sorted(c for c in results.found if c.variant == variant)
        points = [results.measured[c] for c in cells]
        xs = np.array([c.x for c in cells])
        _errorbar(axes, variant, _beside(xs, i, len(results.variants), results.figure.x.log), points)
    label(axes, results.figure.x, results.figure.y)
    if len(results.xs) <= 8:
        axes.set_xticks(results.xs, [f"{x:g}" for x in results.xs])
        axes.xaxis.set_minor_locator(NullLocator())
    legend(canvas, axes)


def groups(results: Results, canvas: Canvas) -> None:
    """A group of points a task."""
    axes = canvas.subplots()
    places = {task: i for i, task in enumerate(results.tasks)}
    for i, variant in enumerate(results.variants):
        cells = [c for c in results.found if c.variant == variant]
        xs = np.array([places[c.task] for c in cells], dtype=float)
        shift = 0.15 * (i - 0.5 * (len(results.variants) - 1))
        _errorbar(axes, variant, xs + shift, [results.measured[c] for c in cells], joined=False)
    axes.set_xticks(list(places.values()), list(places), rotation=20, ha="right")
    label(axes, results.figure.x, results.figure.y)
    legend(canvas, axes)


def style(variant: str) -> dict[str, str]:
    """Keywords of a line of a variant's."""
    colour, marker, line = STYLES[variant]
    return {"color": colour, "marker": marker, "linestyle": line, "label": NAMES[variant]}


def legend(canvas: Canvas, axes: Axes) -> None:
    """What is what, beside the axes, where it hides no point."""
    canvas.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False)


def label(axes: Axes, x: Axis, y: Axis) -> None:
    """Labels with units, and scales."""
    axes.set(xlabel=x.label, ylabel=y.label)
    if x.log:
        axes.set_xscale("log")
    if y.log:
        axes.set_yscale("log")
        plain_numbers(axes)


def plain_numbers(axes: Axes) -> None:
    """On a logarithmic scale of less than two decades: 0.4, not 4 x 10^-1."""
    low, high = axes.get_ylim()
    if high < 100.0 * low:
        narrow = high < 6.0 * low
        axes.yaxis.set_major_locator(MaxNLocator(6) if narrow else LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())


def _errorbar(axes: Axes, variant: str, xs: np.ndarray, points: list, joined: bool = True) -> None:
    values = np.array([p.value for p in points])
    ends = np.array([p.interval for p in points]).reshape(-1, 2)
    bars = np.maximum(np.stack([values - ends[:, 0], ends[:, 1] - values]), 0.0)  # NaN, not known: no bar
    look = style(variant) | ({} if joined else {"linestyle": "none"})
    axes.errorbar(xs, values, yerr=bars, capsize=2.0, elinewidth=1.0, **look)  # type: ignore[arg-type]


def _beside(xs: np.ndarray, i: int, count: int, log: bool) -> np.ndarray:
    """Moved a little, so that intervals at the same x are seen beside each other."""
    shift = i - 0.5 * (count - 1)
    if log:
        return xs * 1.01**shift
    width = float(np.ptp(xs)) or 1.0
    return xs + 0.006 * width * shift
