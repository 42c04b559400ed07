"""Kernel source: Jacobians and the hard Riccati sweep of LANES samples at once, one lane a sample.

As `integrator` and `riccati`, with LANES numbers in the place of every one: entry e of an array is
A[e * LANES : (e + 1) * LANES], a row of a Jacobian is ROW wide. The Hessian of the cost is diagonal, so
this serves problems whose only inequalities are the control limits.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.integrator import move_lanes, stage_lanes
from deqmpc_core.mpc.kernels.sizes import (
    COLUMNS,
    CONTROLS,
    HORIZON,
    LANES,
    NE,
    NU,
    NX,
    NXU,
    ROW,
    STATE,
    STATES,
    SUBSTEPS,
    Array,
    control_product,
    entry_rows,
    state_product,
)
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import load, smaller, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def block_defects(x: Array, u: Array, p: Array, dt: float, d: Array) -> None:
    """d (T, NX, LANES) = f(x_t, u_t) - x_{t+1}."""
    X = stack_array(NX, LANES)
    for t in range(HORIZON):
        for r in range(NX):
            store(X, r * LANES, load(x, (t * NX + r) * LANES, LANES))
        move_lanes(X, u[t * NU * LANES :], p, dt)
        put_defect(X, x, t, d)


@njit(**OPTIONS)
def put_defect(X: Array, x: Array, t: int, d: Array) -> None:
    """d_t = X - x_{t+1}."""
    for r in range(NX):
        after = load(x, ((t + 1) * NX + r) * LANES, LANES)
        store(d, (t * NX + r) * LANES, load(X, r * LANES, LANES) - after)


@njit(**OPTIONS)
def state_columns(E: Array, h: float, slopes: Array, J: Array, first: int) -> None:
    """Stages 2 to 4 of a Runge-Kutta step for COLUMNS columns by x_t from `first` on; slopes and J (NX, ROW):
    stage 1's part."""
    base = stack_array(NX, STATES)
    even = stack_array(NX, STATES)
    odd = stack_array(NX, STATES)
    total = stack_array(NX, STATES)
    for r in range(NX):
        store(base, r * STATES, splat(0.0, STATES))
        store(even, r * STATES, load(slopes, r * ROW + first * LANES, STATES))
        store(total, r * STATES, load(J, r * ROW + first * LANES, STATES))
    for c in range(COLUMNS):
        store(base, (first + c) * STATES + c * LANES, splat(1.0, LANES))
    state_product(E, NE * LANES, base, 0.5 * h, even, h / 3.0, odd, total)
    state_product(E, 2 * NE * LANES, base, 0.5 * h, odd, h / 3.0, even, total)
    state_product(E, 3 * NE * LANES, base, h, even, h / 6.0, odd, total)
    for r in range(NX):
        store(J, r * ROW + first * LANES, load(total, r * STATES, STATES))


@njit(**OPTIONS)
def control_columns(E: Array, h: float, slopes: Array, J: Array) -> None:
    """The same for the columns by u_t."""
    base = stack_array(NX, CONTROLS)
    even = stack_array(NX, CONTROLS)
    odd = stack_array(NX, CONTROLS)
    total = stack_array(NX, CONTROLS)
    for r in range(NX):
        store(base, r * CONTROLS, splat(0.0, CONTROLS))
        store(even, r * CONTROLS, load(slopes, r * ROW + STATE, CONTROLS))
        store(total, r * CONTROLS, load(J, r * ROW + STATE, CONTROLS))
    control_product(E, NE * LANES, base, 0.5 * h, even, h / 3.0, odd, total)
    control_product(E, 2 * NE * LANES, base, 0.5 * h, odd, h / 3.0, even, total)
    control_product(E, 3 * NE * LANES, base, h, even, h / 6.0, odd, total)
    for r in range(NX):
        store(J, r * ROW + STATE, load(total, r * CONTROLS, CONTROLS))


@njit(**OPTIONS)
def step_jacobian(E: Array, h: float, J: Array) -> None:
    """J (NX, ROW) of one Runge-Kutta step with the stages' entries E (4, NE, LANES)."""
    slopes = stack_array(NX, ROW)
    entry_rows(E, slopes)
    for r in range(NX):
        store(J, r * ROW, h / 6.0 * load(slopes, r * ROW, ROW))
        o = r * ROW + r * LANES
        store(J, o, 1.0 + load(J, o, LANES))
    for first in range(0, NX, COLUMNS):
        state_columns(E, h, slopes, J, first)
    control_columns(E, h, slopes, J)


@njit(**OPTIONS)
def follow(step: Array, J: Array) -> None:
    """J (NX, ROW) <- the Jacobian of J's steps and then `step`."""
    before = stack_array(NX, ROW)
    for r in range(NX):
        store(before, r * ROW, load(J, r * ROW, ROW))
    for r in range(NX):
        row = load(step, r * ROW, LANES) * load(before, 0, ROW)
        for k in range(1, NX):
            row += load(step, r * ROW + k * LANES, LANES) * load(before, k * ROW, ROW)
        store(J, r * ROW, row)
        o = r * ROW + STATE
        store(J, o, load(J, o, CONTROLS) + load(step, o, CONTROLS))


@njit(**OPTIONS)
def block_linearise(x: Array, u: Array, p: Array, dt: float, d: Array, J: Array) -> None:
    """Defects d (T, NX, LANES) and Jacobians J (T, NX, ROW)."""
    X = stack_array(NX, LANES)
    k = stack_array(NX, LANES)
    E = stack_array(4, NE, LANES)
    S = stack_array(4, NX, LANES)
    later = stack_array(NX, ROW)
    h = dt / SUBSTEPS
    for t in range(HORIZON):
        here = J[t * NX * ROW : (t + 1) * NX * ROW]
        for r in range(NX):
            store(X, r * LANES, load(x, (t * NX + r) * LANES, LANES))
        for sub in range(SUBSTEPS):
            stage_lanes(X, u[t * NU * LANES :], p, h, k, E, S)
            if sub == 0:
                step_jacobian(E, h, here)
            else:
                step_jacobian(E, h, later)
                follow(later, here)
        put_defect(X, x, t, d)


@njit(**OPTIONS)
def block_backward(
    J: Array, d: Array, diagonal: Array, g: Array, damping: Array, K: Array, kff: Array, P: Array, p: Array,
    least: Array,
) -> None:  # fmt: skip
    """Gains K (T, NU, NX, LANES), kff (T, NU, LANES) and the cost to go P (KNOTS, NX, NX, LANES), p (KNOTS,
    NX, LANES) of knots 1..T, for `block_forward`.

    diagonal: of the Hessian, and g: the gradient, (KNOTS, ROW); damping (LANES). least (LANES) gets the last
    step's smallest pivot, or what an earlier one left: not above zero where a sample's Hessian is not.
    """
    H = stack_array(NXU, ROW)
    PJ = stack_array(NX, ROW)
    h = stack_array(ROW)
    q = stack_array(NX, LANES)
    inverse = stack_array(NU, LANES)
    hold = load(damping, 0, LANES)
    store(least, 0, splat(1.0, LANES))
    end = HORIZON * NX * STATE
    for r in range(NX):
        store(P, end + r * STATE, splat(0.0, STATE))
    for r in range(NX):
        store(P, end + r * (NX + 1) * LANES, load(diagonal, HORIZON * ROW + r * LANES, LANES))
    store(p, HORIZON * STATE, load(g, HORIZON * ROW, STATE))
    for t in range(HORIZON - 1, -1, -1):
        jo, po = t * NX * ROW, (t + 1) * NX * STATE
        for r in range(NX):
            o = po + r * (NX + 1) * LANES
            store(P, o, load(P, o, LANES) + hold)
        slope = load(p, (t + 1) * STATE, STATE)
        for k in range(NX):
            slope += load(d, (t * NX + k) * LANES, LANES) * load(P, po + k * STATE, STATE)
        store(q, 0, slope)
        for r in range(NX):
            row = load(P, po + r * STATE, LANES) * load(J, jo, ROW)
            for k in range(1, NX):
                row += load(P, po + (r * NX + k) * LANES, LANES) * load(J, jo + k * ROW, ROW)
            store(PJ, r * ROW, row)
        row = load(g, t * ROW, ROW)
        for k in range(NX):
            row += load(q, k * LANES, LANES) * load(J, jo + k * ROW, ROW)
        store(h, 0, row)
        for r in range(NX if t == 0 else 0, NXU):  # nothing depends on dx_0 = 0
            row = load(J, jo + r * LANES, LANES) * load(PJ, 0, ROW)
            for k in range(1, NX):
                row += load(J, jo + k * ROW + r * LANES, LANES) * load(PJ, k * ROW, ROW)
            store(H, r * ROW, row)
            o = r * ROW + r * LANES
            store(H, o, load(H, o, LANES) + load(diagonal, t * ROW + r * LANES, LANES))
        for c in range(NU):  # Cholesky of the control's block, forward substitution in the same rows
            oc = (NX + c) * ROW
            pivot = load(H, oc + (NX + c) * LANES, LANES) + hold
            store(least, 0, smaller(load(least, 0, LANES), pivot))
            inverse_pivot = 1.0 / math.sqrt(pivot)
            store(inverse, c * LANES, inverse_pivot)
            row = inverse_pivot * load(H, oc, ROW)
            store(H, oc, row)
            right = inverse_pivot * load(h, (NX + c) * LANES, LANES)
            store(h, (NX + c) * LANES, right)
            for r in range(c + 1, NU):
                factor = load(H, oc + (NX + r) * LANES, LANES)
                o = (NX + r) * ROW
                store(H, o, load(H, o, ROW) - factor * row)
                o = (NX + r) * LANES
                store(h, o, load(h, o, LANES) - factor * right)
        if t > 0:
            slope = load(h, 0, STATE)
            for k in range(NU):
                slope -= load(h, (NX + k) * LANES, LANES) * load(H, (NX + k) * ROW, STATE)
            store(p, t * STATE, slope)
            for r in range(NX):
                slope = load(H, r * ROW, STATE)
                for k in range(NU):
                    factor = load(H, (NX + k) * ROW + r * LANES, LANES)
                    slope -= factor * load(H, (NX + k) * ROW, STATE)
                store(P, (t * NX + r) * STATE, slope)
        for r in range(NU - 1, -1, -1):
            row = load(inverse, r * LANES, LANES) * load(H, (NX + r) * ROW, ROW)
            value = load(inverse, r * LANES, LANES) * load(h, (NX + r) * LANES, LANES)
            store(H, (NX + r) * ROW, row)
            store(K, (t * NU + r) * STATE, -1.0 * load(H, (NX + r) * ROW, STATE))
            store(kff, (t * NU + r) * LANES, -1.0 * value)
            for k in range(r):
                factor = load(H, (NX + k) * ROW + (NX + r) * LANES, LANES)
                o = (NX + k) * ROW
                store(H, o, load(H, o, ROW) - factor * row)
                o = (NX + k) * LANES
                store(h, o, load(h, o, LANES) - factor * value)


@njit(**OPTIONS)
def block_forward(
    J: Array, d: Array, K: Array, kff: Array, P: Array, p: Array, dx: Array, du: Array, eta: Array
) -> None:
    """dx (KNOTS, NX, LANES), du (T, NU, LANES) and the multipliers eta (T, NX, LANES) of the dynamics."""
    store(dx, 0, splat(0.0, STATE))
    for t in range(HORIZON):
        xo, uo, jo = t * STATE, t * NU * LANES, t * NX * ROW
        for r in range(NU):
            value = load(kff, uo + r * LANES, LANES)
            for k in range(NX):
                gain = load(K, ((t * NU + r) * NX + k) * LANES, LANES)
                value += gain * load(dx, xo + k * LANES, LANES)
            store(du, uo + r * LANES, value)
        for r in range(NX):
            value = load(d, xo + r * LANES, LANES)
            for k in range(NX):
                value += load(J, jo + r * ROW + k * LANES, LANES) * load(dx, xo + k * LANES, LANES)
            for k in range(NU):
                value += load(J, jo + r * ROW + (NX + k) * LANES, LANES) * load(du, uo + k * LANES, LANES)
            store(dx, xo + (NX + r) * LANES, value)
        slope = load(p, xo + STATE, STATE)
        for k in range(NX):
            column = load(P, ((t + 1) * NX + k) * STATE, STATE)
            slope += load(dx, xo + (NX + k) * LANES, LANES) * column
        store(eta, xo, slope)
