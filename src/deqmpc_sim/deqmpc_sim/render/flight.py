"""The quadrotors in space: arms, path so far, pole, goal and keep-out spheres, all to scale."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Line3D, Poly3DCollection
from mpl_toolkits.mplot3d.axes3d import Axes3D
from numpy.typing import NDArray

from deqmpc_core.tasks import Task
from deqmpc_core.tasks.obstacles import world_velocity
from deqmpc_core.tasks.qpole import POLE as POLE_ANGLE
from deqmpc_sim.render.scene import GOAL, PATH, POLE, ROBOT, SPHERE, Scene

Array = NDArray[np.float64]
_ARMS_SHARE = 0.05  # of the view: arms are drawn at least so long, or nobody would see them
_MERIDIANS, _PARALLELS = 10, 6


class FlightScene(Scene):
    """The task's frame [m]; arms are drawn larger than they are where the view is wide."""

    def __init__(self, task: Task, figure: Figure, states: Array, centers: Array) -> None:
        """states (S+1, n), centers (1 | S+1, k, 3)."""
        self._task, self._states, self._centers = task, states, centers
        self._places = task.position(torch.from_numpy(states)).numpy()
        self._reach = _reach(self._places, centers)
        self._arm = max(task.system.parameters["arm"], _ARMS_SHARE * self._reach)
        self._balls = _unit_ball() * float(np.max(_radius(task), initial=0.0))
        axes = figure.add_subplot(projection="3d")
        assert isinstance(axes, Axes3D)
        self._prepare(axes, task.goal[:3].numpy())

    def show(self, knot: int) -> None:
        """Robot, path and spheres at a knot."""
        path, place = self._places[: knot + 1], self._places[knot]
        self._path.set_data_3d(*path.T)
        for line, arm in zip(self._arms, self._arm_ends(knot), strict=True):
            line.set_data_3d(*np.stack((place - arm, place + arm), 1))
        if self._has_pole:
            self._pole.set_data_3d(*np.stack((place, self._pole_end(knot)), 1))
        if self._spheres is not None and len(self._centers) > 1:
            self._spheres.set_verts(list(self._faces(knot)))

    @property
    def _has_pole(self) -> bool:
        return "pole_length" in self._task.system.parameters

    def _prepare(self, axes: Axes3D, goal: Array) -> None:
        reach = self._reach
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), zlim=(-reach, reach))
        axes.set(xlabel="x [m]", ylabel="y [m]", zlabel="z [m]")
        axes.set_box_aspect((1.0, 1.0, 1.0), zoom=1.2)  # type: ignore[arg-type]
        axes.locator_params(nbins=5)
        axes.plot(*goal[:, None], color=GOAL, marker="*", markersize=10, linestyle="none")
        self._spheres = None
        if self._centers.shape[1]:
            self._spheres = Poly3DCollection(self._faces(0), color=SPHERE, alpha=0.3, linewidth=0)
            axes.add_collection3d(self._spheres)
        self._path, self._pole = _line(axes, PATH, 1), _line(axes, POLE, 3)
        self._arms = [_line(axes, ROBOT, 3) for _ in range(2)]

    def _arm_ends(self, knot: int) -> Array:
        """Two arms (2, 3) from the middle, in the task's frame."""
        along = self._arm / math.sqrt(2.0) * torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]]).double()
        first = self._task.system.mrp or 0
        mrp = torch.from_numpy(self._states[knot, first : first + 3])
        return world_velocity(mrp.expand(2, 3), along).numpy()

    def _pole_end(self, knot: int) -> Array:
        """End (3,) of the pole, which hangs at theta = 0 and swings in the world's x-z plane; as much too
        long as the arms are.
        """
        parameters, theta = self._task.system.parameters, self._states[knot, POLE_ANGLE]
        length = parameters["pole_length"] * self._arm / parameters["arm"]
        return self._places[knot] - length * np.array([math.sin(theta), 0.0, math.cos(theta)])

    def _faces(self, knot: int) -> Array:
        """Corners (k * faces, 4, 3) of all spheres."""
        centers = self._centers[min(knot, len(self._centers) - 1)]
        return (centers[:, None, None] + self._balls).reshape(-1, 4, 3)


def _line(axes: Axes3D, color: str, width: float) -> Line3D:
    (line,) = axes.plot([], [], [], color=color, linewidth=width)
    assert isinstance(line, Line3D)
    return line


def _radius(task: Task) -> Array:
    return np.asarray(0.0 if task.spheres is None else task.spheres.radius, dtype=np.float64)


def _reach(places: Array, centers: Array) -> float:
    """Half the edge [m] of a cube about the origin that holds the path and the spheres."""
    finite = places[np.isfinite(places)]
    return 1.05 * max(1.0, np.abs(finite).max(initial=0.0), np.abs(centers).max(initial=0.0))


def _unit_ball() -> Array:
    """Corners (faces, 4, 3) of a sphere's quadrangles."""
    around = np.linspace(0.0, 2.0 * np.pi, _MERIDIANS + 1)
    up = np.linspace(0.0, np.pi, _PARALLELS + 1)[:, None]
    grid = np.stack(
        np.broadcast_arrays(np.cos(around) * np.sin(up), np.sin(around) * np.sin(up), np.cos(up)), -1
    )
    return np.stack((grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]), -2).reshape(-1, 4, 3)
