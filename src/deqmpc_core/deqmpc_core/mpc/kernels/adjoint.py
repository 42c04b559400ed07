"""Kernel source: the adjoint systems of a solve, for a range of samples.

`deqmpc_core.mpc.adjoint` is the readable reference.
"""

from numba import njit

from deqmpc_core.mpc.kernels.constraints import (
    add_constraints,
    all_finite,
    constraint_slopes,
    cost_model,
    row,
    sphere_curvature,
)
from deqmpc_core.mpc.kernels.curvature import add_dynamics_curvature
from deqmpc_core.mpc.kernels.data import Data
from deqmpc_core.mpc.kernels.integrator import linearise
from deqmpc_core.mpc.kernels.riccati import (
    backward_hard,
    backward_soft,
    forward_hard,
    forward_soft,
    row_product,
)
from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    KNOTS,
    NG,
    NU,
    NX,
    NXU,
    Array,
    inequality_curvature,
)
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}

# --- kernel ---

HOLD, REFINEMENTS = (
    1e5,
    4,
)  # weight of an active inequality against the Hessian; steps that make it hold exactly
HELD = 1e12  # weight of a held control


@njit(**OPTIONS)
def gauss_newton_adjoint(
    x: Array, u: Array, c: Data, lam: Array, mu: float, seed_x: Array, seed_u: Array, work: Array,
    sx: Array, su: Array, seta: Array, slam: Array,
) -> bool:  # fmt: skip
    """Eq. 12: H s = seed with H = Q, R + mu k'k + mu G'G over the inequalities with a positive multiplier."""
    n = lam.size
    weight, zeros = work[:n], work[n : 2 * n]
    d = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    W = stack_array(KNOTS, NXU, NXU)
    g = stack_array(KNOTS, NXU)
    K = stack_array(HORIZON, NU, NXU)
    kff = stack_array(HORIZON, NU)
    factors = stack_array(HORIZON, NX, NX)
    gradients = stack_array(HORIZON, NX)
    linearise(x, u, c.p, c.dt, d, J)
    for i in range(n):
        weight[i] = mu if lam[i] > 0.0 else 0.0
        zeros[i] = 0.0
    for e in range(HORIZON * NX):
        d[e] = 0.0
        seta[e] = 0.0
    cost_model(x, u, c, W, g)
    add_constraints(x, c, weight, zeros, W, g)
    put_seed(seed_x, seed_u, g)
    if not backward_soft(J, d, seta, mu, W, g, 0.0, K, kff, factors, gradients):
        return False
    forward_soft(J, d, seta, mu, K, kff, factors, gradients, sx, su)
    for t in range(HORIZON):
        for r in range(NX):
            change = row_product(J, (t * NX + r) * NXU, sx, t * NX, su, t * NU) - sx[(t + 1) * NX + r]
            seta[t * NX + r] = mu * change
    constraint_slopes(x, c, sx, su, slam)
    for i in range(n):
        slam[i] *= weight[i]
    start_gradient(J, seed_x, seta, sx)
    return True


@njit(**OPTIONS)
def exact_adjoint(
    x: Array, u: Array, c: Data, eta: Array, lam: Array, barrier: float, curved: bool, seed_x: Array,
    seed_u: Array, work: Array, sx: Array, su: Array, seta: Array, slam: Array,
) -> bool:  # fmt: skip
    """The KKT system with the Lagrangian's Hessian; without `curved` it leaves second derivatives out.

    barrier 0: active inequalities hold to first order. barrier tau: weights lam^2 / tau, as an interior
    point has.
    """
    n = lam.size
    weight, zeros, slopes = work[:n], work[n : 2 * n], work[2 * n : 3 * n]
    d = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    W = stack_array(KNOTS, NXU, NXU)
    g = stack_array(KNOTS, NXU)
    K = stack_array(HORIZON, NU, NXU)
    kff = stack_array(HORIZON, NU)
    P = stack_array(KNOTS, NX, NX)
    p = stack_array(KNOTS, NX)
    coupling = stack_array(NU, NX)
    cost_model(x, u, c, W, g)
    if curved:
        add_dynamics_curvature(x, u, c.p, c.dt, eta, J, d, W)
        sphere_curvature(c, lam, 1.0, W)
        if NG > 0:
            add_inequality_curvature(x, c, lam, W)
    else:
        linearise(x, u, c.p, c.dt, d, J)
    for r in range(NU):  # how x_0 bends the first control's gradient
        for k in range(NX):
            coupling[r * NX + k] = W[(NX + r) * NXU + k]
    holding_weights(c, x, lam, barrier, W, weight)
    for i in range(n):
        zeros[i] = 0.0
        slam[i] = 0.0
    add_constraints(x, c, weight, zeros, W, g)
    for e in range(HORIZON * NX):
        d[e] = 0.0
    for _ in range(1 if barrier > 0.0 else 1 + REFINEMENTS):
        for e in range(KNOTS * NXU):
            g[e] = 0.0
        put_seed(seed_x, seed_u, g)
        add_constraints(x, c, zeros, slam, W, g)
        if not backward_hard(J, d, W, g, 0.0, K, kff, P, p):
            return False
        forward_hard(J, d, K, kff, P, p, sx, su, seta)
        constraint_slopes(x, c, sx, su, slopes)
        for i in range(n):
            slam[i] += weight[i] * slopes[i]
    start_gradient(J, seed_x, seta, sx)
    for r in range(NU):
        for k in range(NX):
            sx[k] -= coupling[r * NX + k] * su[r]
    return all_finite(sx) and all_finite(su) and all_finite(slam)


@njit(**OPTIONS)
def put_seed(seed_x: Array, seed_u: Array, g: Array) -> None:
    """g = -seed on knots 1..T and on the controls."""
    for t in range(KNOTS):
        for r in range(NX):
            g[t * NXU + r] = -seed_x[t * NX + r] if t > 0 else 0.0
        for r in range(NU):
            g[t * NXU + NX + r] = -seed_u[t * NU + r] if t < HORIZON else 0.0


@njit(**OPTIONS)
def start_gradient(J: Array, seed_x: Array, seta: Array, sx: Array) -> None:
    """sx[:NX] = gradient to x_0: seed_x_0 - F_x' s_eta_0."""
    for k in range(NX):
        value = seed_x[k]
        for r in range(NX):
            value -= J[r * NXU + k] * seta[r]
        sx[k] = value


@njit(**OPTIONS)
def holding_weights(c: Data, x: Array, lam: Array, barrier: float, W: Array, weight: Array) -> None:
    """Weight of every inequality: lam^2 / tau under a barrier, else large where the multiplier is
    positive."""
    if barrier > 0.0:
        for i in range(lam.size):
            weight[i] = lam[i] * lam[i] / barrier
        return
    scale = 0.0
    for t in range(KNOTS):
        for r in range(NXU if t < HORIZON else NX):
            scale = max(scale, abs(W[(t * NXU + r) * NXU + r]))
    width = 2 * NU + NG + c.radius.size
    for i in range(lam.size):
        held = HELD if i % width < 2 * NU else HOLD
        weight[i] = held * scale if lam[i] > 0.0 else 0.0


@njit(**OPTIONS)
def add_inequality_curvature(x: Array, c: Data, lam: Array, W: Array) -> None:
    """W += sum lam d2h of the robot's own inequalities."""
    M = stack_array(NX, NX)
    width = 2 * NU + NG + c.radius.size
    for t in range(HORIZON):
        inequality_curvature(x, (t + 1) * NX, c.p, lam, t * width + 2 * NU, M)
        for r in range(NX):
            for k in range(NX):
                W[((t + 1) * NXU + r) * NXU + k] += M[r * NX + k]


ADJOINT = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{m},{v},boolean,boolean,{m},"
    "{m},{m},{m},{m},{m},{m},boolean[::1])"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(ADJOINT, cache=True, nogil=True, **OPTIONS)
def adjoint_range(
    first: int, last: int, x: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, stride: int, radius: Array, p: Array, dt: float,
    u: Array, eta: Array, lam: Array, penalty: Array, exact: bool, barrier: bool, seed_x: Array, seed_u:
    Array,
    work: Array, sx: Array, su: Array, seta: Array, slam: Array, ok: Array,
) -> None:  # fmt: skip
    """For samples first..last-1: s of the adjoint system; sx (KNOTS, NX) holds the gradient to x_0 at knot
    0."""
    for b in range(first, last):
        c = Data(
            row(ref, b), row(wx, b), row(wu, b), row(uref, b), row(lo, b), row(hi, b), row(centers, b),
            stride, row(radius, b), row(p, b), dt,
        )  # fmt: skip
        good = all_finite(x[b]) and all_finite(u[b]) and all_finite(seed_x[b]) and all_finite(seed_u[b])
        if not good:
            ok[b] = False
        elif not (exact or barrier):
            ok[b] = gauss_newton_adjoint(
                x[b],
                u[b],
                c,
                lam[b],
                penalty[b],
                seed_x[b],
                seed_u[b],
                work[b],
                sx[b],
                su[b],
                seta[b],
                slam[b],
            )
        else:
            tau = penalty[b] if barrier else 0.0
            ok[b] = False
            for curved in range(1 if exact else 0, -1, -1):
                ok[b] = exact_adjoint(
                    x[b], u[b], c, eta[b], lam[b], tau, curved == 1, seed_x[b], seed_u[b], work[b],
                    sx[b], su[b], seta[b], slam[b],
                )  # fmt: skip
                if ok[b]:
                    break
        if not ok[b]:
            for values in (sx[b], su[b], seta[b], slam[b]):
                for e in range(values.size):
                    values[e] = 0.0
