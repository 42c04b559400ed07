"""Kernel source: the shift of Section 4.2.3 by one knot, in place."""

import math

from numba import njit

from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, MRP, NU, NX, Array

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def to_branch(x: Array, x0: Array, angles: Array) -> None:
    """Moves every knot's attitude (MRP) and angles (indices) to the branch nearest to x0's."""
    for t in range(KNOTS):
        o = t * NX
        for a in angles:
            x[o + a] -= 2.0 * math.pi * math.floor((x[o + a] - x0[a]) / (2.0 * math.pi) + 0.5)
        if MRP >= 0:
            square, near, far = 0.0, 0.0, 0.0
            for r in range(MRP, MRP + 3):
                square += x[o + r] * x[o + r]
            square = max(square, 1e-12)
            for r in range(MRP, MRP + 3):
                near += (x[o + r] - x0[r]) ** 2
                far += (-x[o + r] / square - x0[r]) ** 2
            if far < near:
                for r in range(MRP, MRP + 3):
                    x[o + r] = -x[o + r] / square


SHIFT = "void({m},{m},{m},int64[::1])".format(m="float64[:,::1]")


@njit(SHIFT, cache=True, **OPTIONS)
def shift_all(x0: Array, x: Array, u: Array, angles: Array) -> None:
    """x (B, KNOTS NX) and u (B, T NU) one knot on, the last ones held, on the branch of x0 (B, NX)."""
    for b in range(x0.shape[0]):
        to_branch(x[b], x0[b], angles)
        for e in range(HORIZON * NX):
            x[b, e] = x[b, e + NX]
        for e in range((HORIZON - 1) * NU):
            u[b, e] = u[b, e + NU]
