"""Kernel source: Riccati sweeps over multiple shooting, linear in T.

Both solve a Newton system: minimise over dx_1..dx_T, du_0..du_{T-1}
  sum_t 1/2 z_t' W_t z_t + g_t' z_t,   z_t = (dx_t, du_t), dx_0 = 0, z_T = dx_T,
with the linearised dynamics y_t = A dx_t + B du_t + d_t either met exactly (hard: dx_{t+1} = y_t) or paid
for by eta_t' (y_t - dx_{t+1}) + mu/2 |y_t - dx_{t+1}|^2 (soft: the augmented Lagrangian). Soft first
minimises over dx_{t+1}: the Moreau envelope of the cost to go has the Hessian P~ = mu (P + mu I)^-1 P, and
what is left is an ordinary Riccati step in P~; no block of it grows ill-conditioned as mu grows.
Layout: W (KNOTS, NXU, NXU), g (KNOTS, NXU), of which the last knot uses the state's part.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.sizes import HORIZON, NU, NX, NXU, Array
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import index, lane_sum, load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def factorise(A: Array, o: int) -> bool:
    """In place: A[o:] (NX, NX) = U'U, its diagonal inverted. False on a non-positive pivot."""
    o = index(o)
    for c in range(NX):
        pivot = A[o + c * NX + c]
        if not pivot > 1e-300:
            return False
        inverse = 1.0 / math.sqrt(pivot)
        row = inverse * load(A, o + c * NX, NX)
        store(A, o + c * NX, row)
        for r in range(c + 1, NX):
            store(A, o + r * NX, load(A, o + r * NX, NX) - A[o + c * NX + r] * row)
        A[o + c * NX + c] = inverse
    return True


@njit(**OPTIONS)
def solve_rows(U: Array, o: int, b: Array) -> None:
    """In place: b (NX, NX) <- (U'U)^-1 b."""
    o = index(o)
    for r in range(NX):
        row = U[o + r * NX + r] * load(b, r * NX, NX)
        store(b, r * NX, row)
        for k in range(r + 1, NX):
            store(b, k * NX, load(b, k * NX, NX) - U[o + r * NX + k] * row)
    for r in range(NX - 1, -1, -1):
        row = U[o + r * NX + r] * load(b, r * NX, NX)
        store(b, r * NX, row)
        for k in range(r):
            store(b, k * NX, load(b, k * NX, NX) - U[o + k * NX + r] * row)


@njit(**OPTIONS)
def solve_column(U: Array, o: int, b: Array) -> None:
    """In place: b (NX) <- (U'U)^-1 b."""
    o = index(o)
    for r in range(NX):
        b[r] *= U[o + r * NX + r]
        for k in range(r + 1, NX):
            b[k] -= U[o + r * NX + k] * b[r]
    for r in range(NX - 1, -1, -1):
        value = b[r]
        for k in range(r + 1, NX):
            value -= U[o + r * NX + k] * b[k]
        b[r] = value * U[o + r * NX + r]


@njit(**OPTIONS)
def eliminate_control(
    t: int, P: Array, q: Array, J: Array, W: Array, g: Array, damping: float, K: Array, kff: Array, p: Array
) -> bool:
    """One Riccati step: from the cost to go 1/2 y'Py + q'y of y = J z to that of dx_t, in place of P and
    into p.

    Leaves the gains du = K dx + kff of knot t. False on a non-positive pivot.
    """
    H = stack_array(NXU, NXU)
    PJ = stack_array(NX, NXU)
    h = stack_array(NXU)
    inverse = stack_array(NU)
    right = stack_array(NU)
    t = index(t)
    jo, wo = t * NX * NXU, t * NXU * NXU
    slope = load(g, t * NXU, NXU)
    for r in range(NX):
        row = P[r * NX] * load(J, jo, NXU)
        for k in range(1, NX):
            row += P[r * NX + k] * load(J, jo + k * NXU, NXU)
        store(PJ, r * NXU, row)
        slope += q[r] * load(J, jo + r * NXU, NXU)
    store(h, 0, slope)
    for r in range(NXU):
        row = load(W, wo + r * NXU, NXU)
        for k in range(NX):
            row += J[jo + k * NXU + r] * load(PJ, k * NXU, NXU)
        store(H, r * NXU, row)
    for c in range(NU):  # Cholesky of the control's block, forward substitution in the same rows
        oc = (NX + c) * NXU
        pivot = H[oc + NX + c] + damping
        if not pivot > 1e-300:
            return False
        inverse[c] = 1.0 / math.sqrt(pivot)
        row = inverse[c] * load(H, oc, NXU)
        store(H, oc, row)
        h[NX + c] *= inverse[c]
        for r in range(c + 1, NU):
            factor = H[oc + NX + r]
            store(H, (NX + r) * NXU, load(H, (NX + r) * NXU, NXU) - factor * row)
            h[NX + r] -= factor * h[NX + c]
    for k in range(NU):
        right[k] = h[NX + k]
    slope = load(h, 0, NXU)
    for k in range(NU):
        slope -= right[k] * load(H, (NX + k) * NXU, NXU)
    store(h, 0, slope)
    store(p, 0, load(h, 0, NX))
    for r in range(NX):
        row = load(H, r * NXU, NX)
        for k in range(NU):
            row -= H[(NX + k) * NXU + r] * load(H, (NX + k) * NXU, NX)
        store(P, r * NX, row)
    for r in range(NU - 1, -1, -1):
        row = inverse[r] * load(H, (NX + r) * NXU, NXU)
        value = inverse[r] * right[r]
        store(K, (t * NU + r) * NXU, -1.0 * row)
        kff[t * NU + r] = -value
        for k in range(r):
            factor = H[(NX + k) * NXU + NX + r]
            store(H, (NX + k) * NXU, load(H, (NX + k) * NXU, NXU) - factor * row)
            right[k] -= factor * value
    return True


@njit(**OPTIONS)
def backward_soft(
    J: Array, d: Array, eta: Array, mu: float, W: Array, g: Array, damping: float,
    K: Array, kff: Array, factors: Array, gradients: Array,
) -> bool:  # fmt: skip
    """Gains K (T, NU, NXU; the last NU columns are of no use), kff (T, NU); factors of P + mu I and
    cost-to-go gradients for `forward_soft`."""
    P = stack_array(NX, NX)
    E = stack_array(NX, NX)
    p = stack_array(NX)
    q = stack_array(NX)
    for r in range(NX):
        store(P, r * NX, load(W, (HORIZON * NXU + r) * NXU, NX))
    store(p, 0, load(g, HORIZON * NXU, NX))
    for t in range(HORIZON - 1, -1, -1):
        fo = t * NX * NX
        store(gradients, t * NX, load(p, 0, NX))
        for r in range(NX):
            if damping > 0.0:
                P[r * NX + r] += damping
            row = load(P, r * NX, NX)
            store(E, r * NX, mu * row)
            store(factors, fo + r * NX, row)
            factors[fo + r * NX + r] += mu
        if not factorise(factors, fo):
            return False
        solve_rows(factors, fo, E)
        for r in range(NX):
            for c in range(r):
                mean = 0.5 * (E[r * NX + c] + E[c * NX + r])
                E[r * NX + c] = mean
                E[c * NX + r] = mean
        # Gradient of the envelope at y = d: P~ d + (P + mu I)^-1 (P eta + mu p).
        for r in range(NX):
            q[r] = mu * p[r] + lane_sum(load(P, r * NX, NX) * load(eta, t * NX, NX))
        solve_column(factors, fo, q)
        slope = load(q, 0, NX)
        for k in range(NX):
            slope += d[t * NX + k] * load(E, k * NX, NX)
        store(q, 0, slope)
        if not eliminate_control(t, E, q, J, W, g, damping, K, kff, p):
            return False
        for r in range(NX):
            store(P, r * NX, load(E, r * NX, NX))
    return True


@njit(**OPTIONS)
def forward_soft(
    J: Array, d: Array, eta: Array, mu: float, K: Array, kff: Array, factors: Array, gradients: Array,
    dx: Array, du: Array,
) -> None:  # fmt: skip
    """dx (KNOTS, NX), dx_0 = 0, and du (T, NU): dx' = (P + mu I)^-1 (mu y + eta - p), y = A dx + B du + d."""
    right = stack_array(NX)
    store(dx, 0, splat(0.0, NX))
    for t in range(HORIZON):
        control_step(t, K, kff, dx, du)
        for r in range(NX):
            y = d[t * NX + r] + row_product(J, (t * NX + r) * NXU, dx, t * NX, du, t * NU)
            right[r] = mu * y + eta[t * NX + r] - gradients[t * NX + r]
        solve_column(factors, t * NX * NX, right)
        store(dx, (t + 1) * NX, load(right, 0, NX))


@njit(**OPTIONS)
def backward_hard(
    J: Array, d: Array, W: Array, g: Array, damping: float, K: Array, kff: Array, P: Array, p: Array
) -> bool:
    """Gains as above; P (KNOTS, NX, NX) and p (KNOTS, NX): the cost to go of knots 1..T for
    `forward_hard`."""
    here = stack_array(NX, NX)
    slope = stack_array(NX)
    q = stack_array(NX)
    for r in range(NX):
        store(here, r * NX, load(W, (HORIZON * NXU + r) * NXU, NX))
    store(slope, 0, load(g, HORIZON * NXU, NX))
    for t in range(HORIZON - 1, -1, -1):
        po = (t + 1) * NX * NX
        for r in range(NX):
            if damping > 0.0:
                here[r * NX + r] += damping
            store(P, po + r * NX, load(here, r * NX, NX))
        right = load(slope, 0, NX)
        store(p, (t + 1) * NX, right)
        for k in range(NX):
            right += d[t * NX + k] * load(here, k * NX, NX)
        store(q, 0, right)
        if not eliminate_control(t, here, q, J, W, g, damping, K, kff, slope):
            return False
    return True


@njit(**OPTIONS)
def forward_hard(
    J: Array, d: Array, K: Array, kff: Array, P: Array, p: Array, dx: Array, du: Array, eta: Array
) -> None:
    """dx, du as above with dx' = A dx + B du + d, and the multipliers eta (T, NX) of the dynamics."""
    store(dx, 0, splat(0.0, NX))
    for t in range(HORIZON):
        control_step(t, K, kff, dx, du)
        for r in range(NX):
            dx[(t + 1) * NX + r] = d[t * NX + r] + row_product(J, (t * NX + r) * NXU, dx, t * NX, du, t * NU)
        slope = load(p, (t + 1) * NX, NX)
        for k in range(NX):
            slope += dx[(t + 1) * NX + k] * load(P, ((t + 1) * NX + k) * NX, NX)
        store(eta, t * NX, slope)


@njit(**OPTIONS)
def control_step(t: int, K: Array, kff: Array, dx: Array, du: Array) -> None:
    """du_t = K_t dx_t + kff_t."""
    t = index(t)
    for r in range(NU):
        o = t * NU + r
        du[o] = kff[o] + lane_sum(load(K, o * NXU, NX) * load(dx, t * NX, NX))


@njit(**OPTIONS)
def row_product(J: Array, o: int, dx: Array, i: int, du: Array, j: int) -> float:
    """Row J[o:o+NXU] times (dx[i:], du[j:])."""
    o, i, j = index(o), index(i), index(j)
    value = lane_sum(load(J, o, NX) * load(dx, i, NX))
    for c in range(NU):
        value += J[o + NX + c] * du[j + c]
    return value
