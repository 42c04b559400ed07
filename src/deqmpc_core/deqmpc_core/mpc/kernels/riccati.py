"""Kernel source: the dual-regularised Riccati sweep, linear in T.

Solves the Newton system of the augmented Lagrangian on multiple shooting: minimise over dx_1..dx_T,
du_0..du_{T-1} sum_t 1/2 dx' Hx dx + gx' dx + 1/2 du' Hu du + gu' du + sum_t eta' y_t + mu/2 |y_t|^2,
  y_t = A dx_t + B du_t + d_t - dx_{t+1}.
Minimising over dx_{t+1} first (the Moreau envelope of the cost to go, Hessian P~ = mu (P + mu I)^-1 P)
leaves a
Riccati step in P~; no block of it grows ill-conditioned as mu grows.
Hx is diagonal plus a symmetric 3x3 block on the position (stored xx xy xz yy yz zz), Hu is diagonal.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.sizes import HORIZON, NU, NX, NXU, POSITION, Array
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def cholesky(A: Array, o: int, size: int) -> bool:
    """In place: the lower factor of A[o:] (size, size), its diagonal inverted. False on a non-positive
    pivot."""
    for c in range(size):
        pivot = A[o + c * size + c]
        for k in range(c):
            pivot -= A[o + c * size + k] * A[o + c * size + k]
        if not pivot > 1e-300:
            return False
        inverse = 1.0 / math.sqrt(pivot)
        A[o + c * size + c] = inverse
        for r in range(c + 1, size):
            value = A[o + r * size + c]
            for k in range(c):
                value -= A[o + r * size + k] * A[o + c * size + k]
            A[o + r * size + c] = value * inverse
    return True


@njit(**OPTIONS)
def cholesky_solve(L: Array, o: int, size: int, b: Array, w: int, width: int) -> None:
    """In place: b[w:] (size, width) <- (L L')^-1 b, L as `cholesky` leaves it."""
    for r in range(size):
        for k in range(r):
            factor = L[o + r * size + k]
            for c in range(width):
                b[w + r * width + c] -= factor * b[w + k * width + c]
        inverse = L[o + r * size + r]
        for c in range(width):
            b[w + r * width + c] *= inverse
    for r in range(size - 1, -1, -1):
        for k in range(r + 1, size):
            factor = L[o + k * size + r]
            for c in range(width):
                b[w + r * width + c] -= factor * b[w + k * width + c]
        inverse = L[o + r * size + r]
        for c in range(width):
            b[w + r * width + c] *= inverse


@njit(**OPTIONS)
def add_stage_hessian(P: Array, hx: Array, block: Array, t: int, damping: float) -> None:
    """P += Hx of knot t+1."""
    for r in range(NX):
        P[r * NX + r] += hx[t * NX + r] + damping
    if POSITION >= 0:
        a = POSITION
        P[a * NX + a] += block[t * 6]
        P[a * NX + a + 1] += block[t * 6 + 1]
        P[a * NX + a + 2] += block[t * 6 + 2]
        P[(a + 1) * NX + a] += block[t * 6 + 1]
        P[(a + 1) * NX + a + 1] += block[t * 6 + 3]
        P[(a + 1) * NX + a + 2] += block[t * 6 + 4]
        P[(a + 2) * NX + a] += block[t * 6 + 2]
        P[(a + 2) * NX + a + 1] += block[t * 6 + 4]
        P[(a + 2) * NX + a + 2] += block[t * 6 + 5]


@njit(**OPTIONS)
def backward(
    J: Array, d: Array, eta: Array, mu: float, gx: Array, hx: Array, block: Array, gu: Array, hu: Array,
    damping: float, K: Array, kff: Array, factors: Array, gradients: Array,
) -> bool:  # fmt: skip
    """Gains K (T, NU, NX), kff (T, NU); Cholesky factors of P + mu I and cost-to-go gradients for
    `forward`."""
    P = stack_array(NX, NX)
    envelope = stack_array(NX, NX)
    PJ = stack_array(NX, NXU)
    H = stack_array(NXU, NXU)
    p = stack_array(NX)
    right = stack_array(NX)
    g = stack_array(NXU)
    Luu = stack_array(NU, NU)
    gains = stack_array(NU, NX)
    offset = stack_array(NU)
    for e in range(NX * NX):
        P[e] = 0.0
    for r in range(NX):
        p[r] = 0.0
    for t in range(HORIZON - 1, -1, -1):
        add_stage_hessian(P, hx, block, t, damping)
        base = t * NX * NX
        for e in range(NX * NX):
            factors[base + e] = P[e]
            envelope[e] = P[e]
        for r in range(NX):
            p[r] += gx[t * NX + r]
            gradients[t * NX + r] = p[r]
            factors[base + r * NX + r] += mu
        if not cholesky(factors, base, NX):
            return False
        cholesky_solve(factors, base, NX, envelope, 0, NX)
        for r in range(NX):
            for c in range(r + 1):
                mean = 0.5 * mu * (envelope[r * NX + c] + envelope[c * NX + r])
                envelope[r * NX + c] = mean
                envelope[c * NX + r] = mean
        # Gradient of the envelope at y = d: P~ d + (P + mu I)^-1 (P eta + mu p).
        for r in range(NX):
            value = mu * p[r]
            for c in range(NX):
                value += P[r * NX + c] * eta[t * NX + c]
            right[r] = value
        cholesky_solve(factors, base, NX, right, 0, 1)
        for r in range(NX):
            value = right[r]
            for c in range(NX):
                value += envelope[r * NX + c] * d[t * NX + c]
            p[r] = value
        jo = t * NX * NXU
        for r in range(NX):
            for c in range(NXU):
                PJ[r * NXU + c] = 0.0
            for k in range(NX):
                factor = envelope[r * NX + k]
                for c in range(NXU):
                    PJ[r * NXU + c] += factor * J[jo + k * NXU + c]
        for r in range(NXU):
            g[r] = 0.0
            for c in range(NXU):
                H[r * NXU + c] = 0.0
        for k in range(NX):
            for r in range(NXU):
                factor = J[jo + k * NXU + r]
                g[r] += factor * p[k]
                for c in range(NXU):
                    H[r * NXU + c] += factor * PJ[k * NXU + c]
        for r in range(NU):
            for c in range(NU):
                Luu[r * NU + c] = H[(NX + r) * NXU + NX + c]
            Luu[r * NU + r] += hu[t * NU + r] + damping
            offset[r] = -(g[NX + r] + gu[t * NU + r])
            for c in range(NX):
                gains[r * NX + c] = -H[(NX + r) * NXU + c]
        if not cholesky(Luu, 0, NU):
            return False
        cholesky_solve(Luu, 0, NU, gains, 0, NX)
        cholesky_solve(Luu, 0, NU, offset, 0, 1)
        for r in range(NU):
            kff[t * NU + r] = offset[r]
            for c in range(NX):
                K[(t * NU + r) * NX + c] = gains[r * NX + c]
        for r in range(NX):
            value = g[r]
            for k in range(NU):
                value += H[(NX + k) * NXU + r] * offset[k]
            p[r] = value
            for c in range(NX):
                P[r * NX + c] = H[r * NXU + c]
            for k in range(NU):
                factor = H[(NX + k) * NXU + r]
                for c in range(NX):
                    P[r * NX + c] += factor * gains[k * NX + c]
        for r in range(NX):
            for c in range(r):
                mean = 0.5 * (P[r * NX + c] + P[c * NX + r])
                P[r * NX + c] = mean
                P[c * NX + r] = mean
    return True


@njit(**OPTIONS)
def forward(
    J: Array, d: Array, eta: Array, mu: float, K: Array, kff: Array, factors: Array, gradients: Array,
    dx: Array, du: Array,
) -> None:  # fmt: skip
    """dx (T+1, NX), dx_0 = 0, and du (T, NU): dx' = (P + mu I)^-1 (mu y + eta - p), y = A dx + B du + d."""
    right = stack_array(NX)
    for r in range(NX):
        dx[r] = 0.0
    for t in range(HORIZON):
        for r in range(NU):
            value = kff[t * NU + r]
            for c in range(NX):
                value += K[(t * NU + r) * NX + c] * dx[t * NX + c]
            du[t * NU + r] = value
        for r in range(NX):
            value = d[t * NX + r]
            row = (t * NX + r) * NXU
            for c in range(NX):
                value += J[row + c] * dx[t * NX + c]
            for c in range(NU):
                value += J[row + NX + c] * du[t * NU + c]
            right[r] = mu * value + eta[t * NX + r] - gradients[t * NX + r]
        cholesky_solve(factors, t * NX * NX, NX, right, 0, 1)
        for r in range(NX):
            dx[(t + 1) * NX + r] = right[r]
