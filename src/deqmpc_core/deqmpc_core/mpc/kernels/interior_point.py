"""Kernel source: a primal-dual interior point on multiple shooting, for a range of samples.

Every inequality h <= 0 has a slack s > 0, h + s = 0, and a multiplier lam with lam s -> tau, the barrier. A
step solves the Newton system by the hard Riccati sweep: with w = lam / s and v = tau / s + w (h + s) an
inequality adds w grad(h) grad(h)' to the Hessian and v grad(h) to the gradient.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.constraints import (
    add_constraints,
    all_finite,
    constraint_slopes,
    constraint_values,
    cost_model,
    ordered_limits,
    row,
    sphere_curvature,
    start_violates,
    tracking_cost,
    well_posed,
)
from deqmpc_core.mpc.kernels.data import Data
from deqmpc_core.mpc.kernels.integrator import defects, linearise
from deqmpc_core.mpc.kernels.riccati import backward_hard, forward_hard
from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, NU, NX, NXU, Array
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}

# --- kernel ---

CONVERGED, MAX_ITERATIONS, LINE_SEARCH_FAILED = 0, 2, 3
NOT_FINITE, INFEASIBLE_START, INFEASIBLE_BOUNDS = 4, 5, 6
HALVINGS = 10
LEAST_RATE = 0.1  # of one step's length to the last one's, as far as the end of a convex solve trusts it
FAR = 1e12  # stands for an infinite control limit's distance, wherever u is


@njit(**OPTIONS)
def finite_values(x: Array, u: Array, c: Data, h: Array) -> None:
    """`constraint_values`, with infinite limits merely far away: their slacks are numbers then."""
    constraint_values(x, u, c, h)
    for i in range(h.size):
        h[i] = max(h[i], -FAR)


@njit(**OPTIONS)
def infeasibility(d: Array, h: Array, s: Array) -> float:
    """|d|_1 + |h + s|_1."""
    total = 0.0
    for e in range(HORIZON * NX):
        total += abs(d[e])
    for i in range(s.size):
        total += abs(h[i] + s[i])
    return total


@njit(**OPTIONS)
def barrier_cost(x: Array, u: Array, c: Data, s: Array, tau: float) -> float:
    """Tracking cost minus tau times the slacks' logarithms."""
    product, exponent = 1.0, 0.0
    for i in range(s.size):  # one logarithm for many slacks
        product *= s[i]
        if product < 1e-200 or product > 1e200:
            exponent += math.log(product)
            product = 1.0
    return tracking_cost(x, u, c) - tau * (exponent + math.log(product))


@njit(**OPTIONS)
def newton_direction(
    J: Array, d: Array, c: Data, lam: Array, curvature: float, W: Array, g: Array, damping: float,
    K: Array, kff: Array, P: Array, p: Array,
) -> float:  # fmt: skip
    """Factorises W with the spheres' curvature, halved and at last left out where the Hessian is not
    positive, then damped. Returns the damping that worked, negative if none did."""
    scale = curvature
    for attempt in range(4):
        if scale > 0.0:
            sphere_curvature(c, lam, scale, W)
        if backward_hard(J, d, W, g, damping, K, kff, P, p):
            return damping
        if scale <= 0.0:
            break
        sphere_curvature(c, lam, -scale, W)
        scale = 0.5 * scale if attempt < 2 else 0.0
    for _ in range(8):
        damping = max(1e-6, 100.0 * damping)
        if backward_hard(J, d, W, g, damping, K, kff, P, p):
            return damping
    return -1.0


@njit(**OPTIONS)
def longest_step(values: Array, change: Array, fraction: float) -> float:
    """Largest step in (0, 1] that leaves every value at least 1 - fraction of itself."""
    step = 1.0
    for i in range(values.size):
        if change[i] * step < -fraction * values[i]:
            step = -fraction * values[i] / change[i]
    return step


@njit(**OPTIONS)
def interior_point(
    x0: Array, c: Data, x: Array, u: Array, eta: Array, lam: Array, work: Array, iterations: int, tolerance:
    float,
    tau: float, tau_end: float, smallest: float, shrink: float, step_primal: float, step_fraction: float,
    curvature: float, info: Array,
) -> int:  # fmt: skip
    """Solve from the guess (x, u) in place; eta and lam get the multipliers, info violation, cost, Newton
    steps and twice the barrier.

    tau, tau_end: first and last barrier. smallest: least slack of the guess. The barrier shrinks by
    `shrink` after a step whose line search kept more than step_primal of more than step_fraction.
    curvature: how much of the spheres' own curvature the Hessian has. work: six arrays of lam's size.
    """
    info[0] = math.inf
    info[3] = tau
    info[4] = tau
    if not (well_posed(x0, c) and all_finite(x) and all_finite(u)):
        return NOT_FINITE
    if not ordered_limits(c):
        return INFEASIBLE_BOUNDS
    n = lam.size
    s, h, weight, force = work[:n], work[n : 2 * n], work[2 * n : 3 * n], work[3 * n : 4 * n]
    ds, dlam = work[4 * n : 5 * n], work[5 * n : 6 * n]
    d = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    W = stack_array(KNOTS, NXU, NXU)
    g = stack_array(KNOTS, NXU)
    K = stack_array(HORIZON, NU, NXU)
    kff = stack_array(HORIZON, NU)
    P = stack_array(KNOTS, NX, NX)
    p = stack_array(KNOTS, NX)
    dx = stack_array(KNOTS, NX)
    du = stack_array(HORIZON, NU)
    trial_x = stack_array(KNOTS, NX)
    trial_u = stack_array(HORIZON, NU)
    for r in range(NX):
        x[r] = x0[r]
        trial_x[r] = x0[r]
    finite_values(x, u, c, h)
    for i in range(n):
        s[i] = max(-h[i], smallest)
        lam[i] = tau / s[i]
    status = MAX_ITERATIONS
    nu, damping, newton = 1.0, 0.0, 0
    violation, gone = math.inf, 0.0
    trusted = 1.0 if curvature > 0.0 else LEAST_RATE  # among spheres a solve may pause and go on
    while newton < iterations:
        newton += 1
        linearise(x, u, c.p, c.dt, d, J)
        for i in range(n):
            inverse = 1.0 / s[i]
            weight[i] = lam[i] * inverse
            force[i] = tau * inverse + weight[i] * (h[i] + s[i])
        cost_model(x, u, c, W, g)
        slope = 0.0
        add_constraints(x, c, weight, force, W, g)
        damping = newton_direction(J, d, c, lam, curvature, W, g, damping, K, kff, P, p)
        if damping < 0.0:
            status = LINE_SEARCH_FAILED
            break
        forward_hard(J, d, K, kff, P, p, dx, du, eta)
        constraint_slopes(x, c, dx, du, ds)
        largest = 0.0
        for i in range(n):
            dlam[i] = force[i] + weight[i] * ds[i] - lam[i]
            ds[i] = -(h[i] + s[i]) - (ds[i] if h[i] > -FAR else 0.0)
            largest = max(largest, lam[i])
            slope -= tau * ds[i] / s[i]
        moved = 0.0
        for e in range(HORIZON * NX):
            largest = max(largest, abs(eta[e]))
            moved = max(moved, abs(dx[NX + e]))
            slope += c.wx[e] * (x[NX + e] - c.ref[e]) * dx[NX + e]
        for e in range(HORIZON * NU):
            moved = max(moved, abs(du[e]))
            slope += c.wu[e] * (u[e] - c.uref[e]) * du[e]
        if not math.isfinite(slope):
            status = LINE_SEARCH_FAILED
            break
        fraction = max(0.99, 1.0 - tau)
        reach = longest_step(s, ds, fraction)
        dual = longest_step(lam, dlam, fraction)
        nu = min(max(nu, 1.5 * largest), 20.0 * largest + 1e-8)
        before = infeasibility(d, h, s)
        slope -= nu * before
        merit = barrier_cost(x, u, c, s, tau) + nu * before
        scale = 1.0
        for trial in range(HALVINGS + 1):
            a = scale * reach
            for e in range(HORIZON * NX):
                trial_x[NX + e] = x[NX + e] + a * dx[NX + e]
            for e in range(HORIZON * NU):
                trial_u[e] = u[e] + a * du[e]
            defects(trial_x, trial_u, c.p, c.dt, d)
            finite_values(trial_x, trial_u, c, h)
            for i in range(n):
                weight[i] = max(s[i] + a * ds[i], -h[i])
            value = barrier_cost(trial_x, trial_u, c, weight, tau) + nu * infeasibility(d, h, weight)
            if value <= merit + 1e-4 * a * min(slope, 0.0) + 1e-13 * abs(merit) or trial == HALVINGS:
                break
            scale *= 0.5
        if not math.isfinite(value):
            status = LINE_SEARCH_FAILED
            break
        for e in range(HORIZON * NX):
            x[NX + e] = trial_x[NX + e]
        for e in range(HORIZON * NU):
            u[e] = trial_u[e]
        complementarity = 0.0
        for i in range(n):
            s[i] = weight[i]
            central = tau / s[i]
            lam[i] = min(max(lam[i] + dual * dlam[i], 1e-4 * central), 1e4 * central)
            complementarity += lam[i] * s[i]
        violation = 0.0
        for e in range(HORIZON * NX):
            violation = max(violation, abs(d[e]))
        gap = violation
        for i in range(n):
            violation = max(violation, h[i])
            gap = max(gap, abs(h[i] + s[i]))
        moved *= scale * reach
        ahead = min(max(moved / max(gone, 1e-300), trusted), 1.0) * moved  # what the next step will be
        gone = moved
        if tau <= tau_end and gap <= tolerance and ahead <= 50.0 * tolerance:
            status = CONVERGED
            break
        damping = 0.0 if damping < 1e-5 else 0.01 * damping
        if scale > step_primal and reach > step_fraction:
            tau = max(tau_end, shrink * min(complementarity / max(n, 1), tau))
    info[0] = violation
    info[1] = tracking_cost(x, u, c)
    info[2] = newton
    info[3] = tau
    info[4] = tau
    if status != CONVERGED and violation > tolerance and start_violates(x0, c, tolerance):
        status = INFEASIBLE_START
    return status


IMPROVE = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{m},{m},{m},"
    "int64,float64,{v},int64[::1],{m})"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(IMPROVE, cache=True, nogil=True, **OPTIONS)
def interior_range(
    first: int, last: int, x0: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, stride: int, radius: Array, p: Array, dt: float,
    x: Array, u: Array, eta: Array, lam: Array, work: Array,
    iterations: int, tolerance: float, numbers: Array, status: Array, info: Array,
) -> None:  # fmt: skip
    """`interior_point` for samples first..last-1 of (B, ...) arrays; numbers: tau … curvature in their
    order."""
    for b in range(first, last):
        c = Data(
            row(ref, b), row(wx, b), row(wu, b), row(uref, b), row(lo, b), row(hi, b), row(centers, b),
            stride, row(radius, b), row(p, b), dt,
        )  # fmt: skip
        status[b] = interior_point(
            x0[b], c, x[b], u[b], eta[b], lam[b], work[b], iterations, tolerance, numbers[0], numbers[1],
            numbers[2], numbers[3], numbers[4], numbers[5], numbers[6], info[b],
        )  # fmt: skip
