"""A data set at a glance: how each state and action is spread, and how some episodes went."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from deqmpc_core.tasks import Task
from deqmpc_train.data.episodes import Array, Episodes

# Okabe and Ito's colours: told apart with any colour vision.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#999999")
_BINS = 60
_ROWS = 6
_WIDTH, _HEIGHT = 3.2, 1.9  # inches a panel


def plot_data_set(episodes: Episodes, task: Task, file: Path, traces: int = 8) -> None:
    """Write a picture: one row a state or action, its histogram over all rows left and `traces` episodes,
    evenly spread, over time right."""
    assert episodes.actions is not None
    names = (*task.system.states, *task.system.controls)
    values = np.concatenate([episodes.states, episodes.actions], 1)
    rows = min(len(names), _ROWS)
    columns = -(-len(names) // _ROWS)
    figure = Figure(figsize=(2 * columns * _WIDTH, rows * _HEIGHT + 0.6))
    panels = figure.subplots(rows, 2 * columns, squeeze=False)
    figure.subplots_adjust(left=0.04, right=0.98, bottom=0.04, top=0.92, hspace=0.45, wspace=0.25)
    for axes in panels.flat:
        axes.set_axis_off()
    chosen = np.unique(np.linspace(0, len(episodes) - 1, min(traces, len(episodes))).astype(np.int64))
    for i, name in enumerate(names):
        histogram, trace = panels[i % _ROWS, 2 * (i // _ROWS) : 2 * (i // _ROWS) + 2]
        _draw_histogram(histogram, values[:, i], name)
        _draw_traces(trace, values[:, i], episodes, chosen, task.dt)
    figure.suptitle(f"{task.name}: {len(episodes)} episodes, {int(episodes.steps.sum())} steps")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def _draw_histogram(axes: Axes, values: Array, name: str) -> None:
    axes.hist(values[np.isfinite(values)], bins=_BINS, histtype="stepfilled", color=_COLOURS[0])
    axes.set_title(name, fontsize="small")
    _show(axes)


def _draw_traces(axes: Axes, values: Array, episodes: Episodes, chosen: np.ndarray, dt: float) -> None:
    """Over time [s]."""
    for k, e in enumerate(chosen):
        part = values[episodes.bounds[e] : episodes.bounds[e + 1]]
        axes.plot(dt * np.arange(len(part)), part, color=_COLOURS[k % len(_COLOURS)], linewidth=0.8)
    _show(axes)


def _show(axes: Axes) -> None:
    """Few marks: many panels with many of them take long to draw."""
    axes.set_axis_on()
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize="x-small")
