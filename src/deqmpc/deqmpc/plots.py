"""flight.png: the path among the spheres, from the side and from above, the distance to the nearest sphere,
tick times."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from mpl_toolkits.mplot3d.axes3d import Axes3D
from numpy.typing import NDArray

from deqmpc.session.track import Track
from deqmpc_core.tasks import Task

Array = NDArray[np.float64]
# Okabe and Ito's colours: told apart with any colour vision, and by line style besides.
POLICY, APPROACH, SPHERE, GOAL, LIMIT = "#0072B2", "#999999", "#E69F00", "#009E73", "#D55E00"


def plot_flight(track: Track, task: Task, period: float, path: Path) -> None:
    """Draw one episode. period [s] between plans is the limit of a tick."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    rows = np.array(track.positions, dtype=float).reshape(-1, 5)
    goal = task.origin.numpy() + task.goal[:3].numpy()
    space = figure.add_subplot(2, 2, 1, projection="3d")
    assert isinstance(space, Axes3D)
    _draw_space(space, rows, task, goal)
    _draw_top(figure.add_subplot(2, 2, 2), rows, task, goal)
    _draw_clearance(figure.add_subplot(2, 2, 3), track)
    _draw_ticks(figure.add_subplot(2, 2, 4), track, period)
    outcome = "no verdict" if track.verdict is None else track.verdict.outcome
    figure.suptitle(f"seed {track.seed}, episode {track.episode}: {outcome}")
    figure.savefig(path, dpi=110)


def _spheres(task: Task) -> tuple[Array, Array]:
    """Centres (k, 3), world [m], and radii (k,)."""
    if task.spheres is None:
        return np.zeros((0, 3)), np.zeros(0)
    center = task.spheres.center.numpy() + task.origin.numpy()
    return center, np.broadcast_to(np.asarray(task.spheres.radius, dtype=float), len(center))


def _parts(rows: Array) -> tuple[Array, Array]:
    """Positions with the policy's part, and with the rest, blanked out elsewhere so that lines break."""
    flown = rows[:, 4:] > 0.5
    return np.where(flown, rows[:, 1:4], np.nan), np.where(flown, np.nan, rows[:, 1:4])


def _draw_space(axes: Axes3D, rows: Array, task: Task, goal: Array) -> None:
    policy, rest = _parts(rows)
    around, up = np.mgrid[0 : 2 * np.pi : 13j, 0 : np.pi : 7j]
    ball = np.stack([np.cos(around) * np.sin(up), np.sin(around) * np.sin(up), np.cos(up)])
    for center, radius in zip(*_spheres(task), strict=True):
        axes.plot_surface(*(center[:, None, None] + radius * ball), color=SPHERE, alpha=0.35, linewidth=0)
    axes.plot(*rest.T, color=APPROACH, linestyle="--", linewidth=1)
    axes.plot(*policy.T, color=POLICY, linewidth=2)
    axes.plot(*goal[:, None], color=GOAL, marker="*", markersize=12, linestyle="none")
    axes.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]", title="path among the spheres")
    axes.set_aspect("equal")


def _draw_top(axes: Axes, rows: Array, task: Task, goal: Array) -> None:
    policy, rest = _parts(rows)
    for center, radius in zip(*_spheres(task), strict=True):
        axes.add_patch(Circle((center[0], center[1]), radius, color=SPHERE, alpha=0.35))
    axes.plot(rest[:, 0], rest[:, 1], color=APPROACH, linestyle="--", linewidth=1, label="take-off, landing")
    axes.plot(policy[:, 0], policy[:, 1], color=POLICY, linewidth=2, label="policy")
    axes.plot(goal[0], goal[1], color=GOAL, marker="*", markersize=12, linestyle="none", label="goal")
    axes.set(xlabel="x [m]", ylabel="y [m]", title="from above", aspect="equal")
    axes.legend(loc="upper right", fontsize="small")


def _draw_clearance(axes: Axes, track: Track) -> None:
    rows = np.array(track.clearance, dtype=float).reshape(-1, 2)
    axes.plot(rows[:, 0], rows[:, 1], color=POLICY)
    axes.axhline(0.0, color=LIMIT, linestyle="--", label="surface")
    axes.set(xlabel="time [s]", ylabel="distance [m]", title="distance to the nearest sphere")
    axes.legend(fontsize="small")


def _draw_ticks(axes: Axes, track: Track, period: float) -> None:
    axes.plot(np.arange(len(track.tick_ms)), track.tick_ms, color=POLICY, marker=".", linestyle="none")
    axes.axhline(1e3 * period, color=LIMIT, linestyle="--", label="period of the policy")
    axes.set(xlabel="tick", ylabel="time [ms]", title="tick times", yscale="log")
    axes.legend(fontsize="small")
