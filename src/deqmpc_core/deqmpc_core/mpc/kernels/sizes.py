"""Stand-ins for what `build` writes at the head of a specialised module: sizes, layout and the robot's
functions.

The kernel sources beside this file import these names so that linters and readers see a complete module; a
specialised copy starts with literal values and generated functions instead. Matrices are stored flat, row
by row.
"""

from numpy.typing import NDArray

NX = 12  # n, states
NU = 4  # m, controls
NXU = NX + NU
NE = 80  # non-zero entries of (f_x, f_u)
NG = 0  # g, the robot's own inequalities at a knot
HORIZON = 5  # T, control intervals
KNOTS = HORIZON + 1
SUBSTEPS = 1  # Runge-Kutta steps in an interval
STAGES = 4 * SUBSTEPS
LANES = 8  # knots, or samples, that the robot's functions are evaluated for at once
# In a block of LANES samples: numbers in a row of a Jacobian, in a state; columns of a Jacobian by x_t that
# are worked on at once, and numbers in a row of those, and of its columns by u_t.
ROW, STATE = NXU * LANES, NX * LANES
COLUMNS, STATES, CONTROLS = 4, 4 * LANES, NU * LANES
POSITION = 0  # index of the first of three position coordinates, -1 if there are none
MRP = 3  # and of three modified Rodrigues parameters

Array = NDArray


def stage_values(x: Array, u: Array, p: Array, k: Array) -> None:
    """k = f(x, u; p) of LANES knots at once: x, k (NX, LANES), u (NU, LANES)."""


def stage_entries(x: Array, u: Array, p: Array, k: Array, E: Array, e: int) -> None:
    """As `stage_values`, and E[e:] (NE, LANES) the non-zero entries of (f_x, f_u)."""


def stage_product(
    E: Array, e: int, base: Array, reach: float, slope: Array, weight: float, tangent: Array, d: int, after:
    Array,
    total: Array,
) -> None:  # fmt: skip
    """A stage of RK4 at one knot, whose entries are E[e], E[e + LANES], …: its derivative by (x, u),
    tangent[d:] = base + reach slope, and after = f_x tangent + [0 | f_u]; total += weight after. All (NX,
    NXU); after is not slope."""


def state_product(
    E: Array, e: int, base: Array, reach: float, slope: Array, weight: float, after: Array, total: Array
) -> None:
    """A stage of RK4 for COLUMNS columns by x_t of LANES samples, whose entries are E[e:] (NE, LANES):
    after = f_x (base + reach slope), total += weight after. All (NX, STATES)."""


def control_product(
    E: Array, e: int, base: Array, reach: float, slope: Array, weight: float, after: Array, total: Array
) -> None:
    """The same for the columns by u_t: after = f_x (base + reach slope) + f_u. All (NX, CONTROLS)."""


def entry_rows(E: Array, out: Array) -> None:
    """out (NX, ROW) = (f_x, f_u) of LANES samples from its non-zero entries E (NE, LANES)."""


def derivative_transposed(x: Array, i: int, u: Array, j: int, p: Array, w: Array, out: Array) -> None:
    """out (NX) = f_x' w."""


def derivative_curvature(x: Array, i: int, u: Array, j: int, p: Array, w: Array, out: Array) -> None:
    """out (NXU, NXU) = sum_r w_r times the Hessian of f_r with respect to (x, u)."""


def inequality(x: Array, i: int, p: Array, h: Array, o: int) -> None:
    """h[o:o+NG] = h(x[i:i+NX]; p)."""


def inequality_jacobian(x: Array, i: int, p: Array, out: Array) -> None:
    """out (NG, NX) = dh/dx."""


def inequality_curvature(x: Array, i: int, p: Array, w: Array, o: int, out: Array) -> None:
    """out (NX, NX) = sum_r w[o+r] times the Hessian of h_r."""
