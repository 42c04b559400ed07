"""Stand-ins for what `build` writes at the head of a specialised module: sizes, layout and dynamics of one
robot.

The kernel sources beside this file import these names so that linters and readers see a complete module; a
specialised copy starts with literal values and generated dynamics instead.
"""

from numpy.typing import NDArray

NX = 12  # n, states
NU = 4  # m, controls
NXU = NX + NU
HORIZON = 5  # T, control intervals
KNOTS = HORIZON + 1
SUBSTEPS = 1  # Runge-Kutta steps in an interval
POSITION = 0  # index of the first of three position coordinates

Array = NDArray


def derivative(x: Array, i: int, u: Array, j: int, p: Array, xdot: Array) -> None:
    """xdot = f(x[i:i+NX], u[j:j+NU]; p)."""


def derivative_product(
    x: Array, i: int, u: Array, j: int, p: Array, D: Array, xdot: Array, out: Array
) -> None:
    """xdot as above and out = f_x D + [0 | f_u], with D and out (NX, NXU) stored flat."""
