"""The figures of a flight's report."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from deqmpc.report.bag import Array, Recorded

# Okabe and Ito's colours: told apart with any colour vision, and by line style besides.
POLICY, REST, SPHERE, LIMIT, NETWORK = "#0072B2", "#999999", "#E69F00", "#D55E00", "#009E73"
_FLOWN = "POLICY"


def draw_path(told: Recorded) -> Figure:
    """The true path, or the estimated one where truth was not recorded, from above and from the side."""
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    above, side = figure.subplots(1, 2)
    rows = told.path if len(told.path) else told.estimate
    for axes, (a, b) in ((above, (1, 2)), (side, (1, 3))):
        for x, y, radius in told.obstacles[:, [a - 1, b - 1, 3]]:
            axes.add_patch(Circle((x, y), radius, color=SPHERE, alpha=0.3, linewidth=0))
        for name, style, part in _parts(rows, told):
            axes.plot(part[:, a], part[:, b], label=name, **style)
    _named(above, "from above", "x [m]", "y [m]")
    _named(side, "from the side", "x [m]", "z [m]")
    for axes in (above, side):
        axes.set_aspect("equal")
    above.legend(loc="best", fontsize="small")
    return figure


def _parts(rows: Array, told: Recorded) -> list[tuple[str, dict[str, object], Array]]:
    """The policy's flight, and the way there and back; gaps where the other flies."""
    flown = np.zeros(len(rows), dtype=bool)
    for begin, end in policy_spans(told):
        flown |= (rows[:, 0] >= begin) & (rows[:, 0] <= end)
    policy, rest = (np.where(mask[:, None], rows, np.nan) for mask in (flown, ~flown))
    return [
        ("take-off, landing", {"color": REST, "linestyle": "--", "linewidth": 1.0}, rest),
        ("policy", {"color": POLICY, "linewidth": 1.8}, policy),
    ]


def policy_spans(told: Recorded) -> list[tuple[float, float]]:
    """Begin and end [s] of each stretch that the policy flew."""
    ends = [*(t for t, _, _ in told.phases[1:]), np.inf]
    return [
        (begin, end) for (begin, name, _), end in zip(told.phases, ends, strict=False) if name == _FLOWN
    ]


def draw_clearance(told: Recorded) -> Figure:
    """m to the nearest obstacle's surface over time; the policy's flight is shaded."""
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(told.clearance[:, 0], told.clearance[:, 1], color=POLICY)
    axes.axhline(0.0, color=LIMIT, linestyle="--", label="surface")
    _shaded(axes, told)
    _named(axes, "distance to the nearest obstacle", "time [s]", "m")
    axes.legend(fontsize="small")
    return figure


def draw_ticks(told: Recorded) -> Figure:
    """ms of each tick, network and solver."""
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.subplots()
    columns = ((1, "tick", POLICY, "."), (2, "network", NETWORK, "x"), (3, "solver", LIMIT, "+"))
    for column, name, colour, marker in columns:
        values = told.ticks[:, column]
        axes.plot(told.ticks[:, 0], np.where(values > 0.0, values, np.nan), color=colour, marker=marker,
                  linestyle="none", markersize=4, label=name)  # fmt: skip
    axes.set_yscale("log")
    _named(axes, "tick times", "time [s]", "ms")
    axes.legend(fontsize="small", ncols=3)
    return figure


def _shaded(axes: Axes, told: Recorded) -> None:
    last = float(told.clearance[-1, 0]) if len(told.clearance) else 0.0
    for begin, end in policy_spans(told):
        axes.axvspan(begin, min(end, max(last, begin)), color=POLICY, alpha=0.08, linewidth=0)


def _named(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(alpha=0.3)
