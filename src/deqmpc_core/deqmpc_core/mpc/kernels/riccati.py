"""Kernel source: Riccati sweeps over multiple shooting, linear in T.

Both solve a Newton system: minimise over dx_1..dx_T, du_0..du_{T-1}
  sum_t 1/2 z_t' W_t z_t + g_t' z_t,   z_t = (dx_t, du_t), dx_0 = 0, z_T = dx_T,
with the linearised dynamics y_t = A dx_t + B du_t + d_t either met exactly (hard: dx_{t+1} = y_t) or paid for by
eta_t' (y_t - dx_{t+1}) + mu/2 |y_t - dx_{t+1}|^2 (soft: the augmented Lagrangian). Soft first minimises over
dx_{t+1}: the Moreau envelope of the cost to go has the Hessian P~ = mu (P + mu I)^-1 P, and what is left is an
ordinary Riccati step in P~; no block of it grows ill-conditioned as mu grows.
Layout: W (KNOTS, NXU, NXU), g (KNOTS, NXU), of which the last knot uses the state's part.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.sizes import HORIZON, NU, NX, NXU, Array
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import lane_sum, load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def factorise(A: Array, o: int) -> bool:
    """In place: A[o:] (NX, NX) = U'U, its diagonal inverted. False on a non-positive pivot."""
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
    for r in range(NX):
        row = load(b, r * NX, NX)
        for k in range(r):
            row -= U[o + k * NX + r] * load(b, k * NX, NX)
        store(b, r * NX, U[o + r * NX + r] * row)
    for r in range(NX - 1, -1, -1):
        row = load(b, r * NX, NX)
        for k in range(r + 1, NX):
            row -= U[o + r * NX + k] * load(b, k * NX, NX)
        store(b, r * NX, U[o + r * NX + r] * row)


@njit(**OPTIONS)
def solve_column(U: Array, o: int, b: Array) -> None:
    """In place: b (NX) <- (U'U)^-1 b."""
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
    """One Riccati step: from the cost to go 1/2 y'Py + q'y of y = J z to that of dx_t, in place of P and into p.

    Leaves the gains du = K dx + kff of knot t. False on a non-positive pivot.
    """
    H = stack_array(NXU, NXU)
    PJ = stack_array(NX, NXU)
    h = stack_array(NXU)
    L = stack_array(NU, NU)
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
    for c in range(NU):  # Cholesky of the control's block, forward substitution along the way
        oc = (NX + c) * NXU
        pivot = H[oc + NX + c] + damping
        for k in range(c):
            pivot -= L[c * NU + k] * L[c * NU + k]
        if not pivot > 1e-300:
            return False
        inverse = 1.0 / math.sqrt(pivot)
        L[c * NU + c] = inverse
        row = load(H, oc, NX)
        value = h[NX + c]
        for k in range(c):
            row -= L[c * NU + k] * load(H, (NX + k) * NXU, NX)
            value -= L[c * NU + k] * h[NX + k]
        store(H, oc, inverse * row)
        h[NX + c] = inverse * value
        for r in range(c + 1, NU):
            value = H[(NX + r) * NXU + NX + c]
            for k in range(c):
                value -= L[r * NU + k] * L[c * NU + k]
            L[r * NU + c] = value * inverse
    slope = load(h, 0, NX)
    for k in range(NU):
        slope -= h[NX + k] * load(H, (NX + k) * NXU, NX)
    store(p, 0, slope)
    for r in range(NX):
        row = load(H, r * NXU, NX)
        for k in range(NU):
            row -= H[(NX + k) * NXU + r] * load(H, (NX + k) * NXU, NX)
        store(P, r * NX, row)
    for r in range(NU - 1, -1, -1):
        row = -1.0 * load(H, (NX + r) * NXU, NX)
        value = -h[NX + r]
        for k in range(r + 1, NU):
            row -= L[k * NU + r] * load(K, (t * NU + k) * NX, NX)
            value -= L[k * NU + r] * kff[t * NU + k]
        store(K, (t * NU + r) * NX, L[r * NU + r] * row)
        kff[t * NU + r] = L[r * NU + r] * value
    return True


@njit(**OPTIONS)
def backward_soft(
    J: Array, d: Array, eta: Array, mu: float, W: Array, g: Array, damping: float,
    K: Array, kff: Array, factors: Array, gradients: Array,
) -> bool:  # fmt: skip
    """Gains K (T, NU, NX), kff (T, NU); factors of P + mu I and cost-to-go gradients for `forward_soft`."""
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
    """Gains as above; P (KNOTS, NX, NX) and p (KNOTS, NX): the cost to go of knots 1..T for `forward_hard`."""
    here = stack_array(NX, NX)
    slope = stack_array(NX)
    q = stack_array(NX)
    for r in range(NX):
        store(here, r * NX, load(W, (HORIZON * NXU + r) * NXU, NX))
    store(slope, 0, load(g, HORIZON * NXU, NX))
    for t in range(HORIZON - 1, -1, -1):
        po = (t + 1) * NX * NX
        for r in range(NX):
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
            dx[(t + 1) * NX + r] = d[t * NX + r] + row_product(
                J, (t * NX + r) * NXU, dx, t * NX, du, t * NU
            )
        slope = load(p, (t + 1) * NX, NX)
        for k in range(NX):
            slope += dx[(t + 1) * NX + k] * load(P, ((t + 1) * NX + k) * NX, NX)
        store(eta, t * NX, slope)


@njit(**OPTIONS)
def control_step(t: int, K: Array, kff: Array, dx: Array, du: Array) -> None:
    """du_t = K_t dx_t + kff_t."""
    for r in range(NU):
        o = t * NU + r
        du[o] = kff[o] + lane_sum(load(K, o * NX, NX) * load(dx, t * NX, NX))


@njit(**OPTIONS)
def row_product(J: Array, o: int, dx: Array, i: int, du: Array, j: int) -> float:
    """Row J[o:o+NXU] times (dx[i:], du[j:])."""
    value = lane_sum(load(J, o, NX) * load(dx, i, NX))
    for c in range(NU):
        value += J[o + NX + c] * du[j + c]
    return value
