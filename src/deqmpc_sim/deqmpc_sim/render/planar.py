"""The pendulum and the cartpole from the side; theta = 0 upright, counter-clockwise positive."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from deqmpc_core.tasks import Task
from deqmpc_sim.render.scene import GOAL, PATH, POLE, ROBOT, Scene

_CART_WIDTH, _CART_HEIGHT = 1.0, 0.5  # m


def tip(pivot: float, theta: float, length: float) -> tuple[float, float]:
    """(x, z) of the end of a pole of `length` [m] on a pivot at (pivot, 0)."""
    return pivot - length * math.sin(theta), length * math.cos(theta)


class PendulumScene(Scene):
    """A rod on a pivot; the dashed line is upright."""

    def __init__(self, task: Task, figure: Figure, states: NDArray[np.float64]) -> None:
        self._states, self._length = states, task.system.parameters["length"]
        reach = 1.2 * self._length
        axes = figure.add_subplot(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axes.plot([0.0, 0.0], [0.0, self._length], color=GOAL, linestyle="--", linewidth=1)
        self._rod = _rod(axes)
        axes.plot(0.0, 0.0, color="black", marker="o")
        axes.set(xlabel="x [m]", ylabel="z [m]")

    def show(self, knot: int) -> None:
        """The rod at a knot."""
        x, z = tip(0.0, self._states[knot, 0], self._length)
        self._rod.set_data([0.0, x], [0.0, z])


class CartpoleScene(Scene):
    """A cart on its rail and the pole, twice as long as its centre of mass is far; the dashed line is where
    they should be. The view holds the whole way of the cart.
    """

    def __init__(self, task: Task, figure: Figure, states: NDArray[np.float64]) -> None:
        self._states, self._length = states, 2.0 * task.system.parameters["length"]
        reach = 1.5 * self._length + float(np.abs(states[:, 0]).max())
        axes = figure.add_subplot(
            xlim=(-reach, reach), ylim=(-1.2 * self._length, 1.2 * self._length), aspect="equal"
        )
        axes.axhline(0.0, color=PATH, linewidth=1)
        axes.plot([0.0, 0.0], [0.0, self._length], color=GOAL, linestyle="--", linewidth=1)
        self._cart = Rectangle((0.0, -0.5 * _CART_HEIGHT), _CART_WIDTH, _CART_HEIGHT, color=ROBOT)
        axes.add_patch(self._cart)
        self._rod = _rod(axes)
        axes.set(xlabel="x [m]", ylabel="z [m]")

    def show(self, knot: int) -> None:
        """Cart and pole at a knot."""
        place, theta = self._states[knot, :2]
        x, z = tip(place, theta, self._length)
        self._cart.set_x(place - 0.5 * _CART_WIDTH)
        self._rod.set_data([place, x], [0.0, z])


def _rod(axes: Axes) -> Line2D:
    (line,) = axes.plot([], [], color=POLE, linewidth=4, marker="o", markevery=[1])
    return line
