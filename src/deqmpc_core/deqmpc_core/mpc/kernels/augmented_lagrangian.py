"""Kernel source: Algorithm 1 (MPC-m) for a range of samples.

The augmented Lagrangian (Eq. 11) has the dynamics' multipliers eta and the inequalities' multipliers lam in
the shifted form max(0, lam + mu h)^2 - lam^2 over 2 mu, whose active set is lam + mu h > 0.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.constraints import (
    add_constraints,
    all_finite,
    constraint_values,
    cost_model,
    ordered_limits,
    row,
    start_violates,
    tracking_cost,
    well_posed,
)
from deqmpc_core.mpc.kernels.data import Data
from deqmpc_core.mpc.kernels.integrator import defects, linearise
from deqmpc_core.mpc.kernels.riccati import backward_soft, forward_soft
from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, NU, NX, NXU, Array
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import lane_sum, load

OPTIONS: dict = {}

# --- kernel ---

CONVERGED, BUDGET_SPENT, MAX_ITERATIONS, LINE_SEARCH_FAILED = 0, 1, 2, 3
NOT_FINITE, INFEASIBLE_START, INFEASIBLE_BOUNDS = 4, 5, 6


@njit(**OPTIONS)
def augmented_lagrangian(
    x: Array, u: Array, c: Data, eta: Array, lam: Array, mu: float, d: Array, h: Array
) -> float:
    """Its value; leaves the defects d (T, NX) and the inequalities h."""
    defects(x, u, c.p, c.dt, d)
    constraint_values(x, u, c, h)
    value = tracking_cost(x, u, c)
    for e in range(HORIZON * NX):
        value += (eta[e] + 0.5 * mu * d[e]) * d[e]
    half = 0.5 / mu
    for i in range(lam.size):
        new = max(0.0, lam[i] + mu * h[i])
        value += half * (new * new - lam[i] * lam[i])
    return value


@njit(**OPTIONS)
def directional_derivative(
    J: Array, d: Array, eta: Array, mu: float, g: Array, dx: Array, du: Array
) -> float:
    """Slope of the augmented Lagrangian along (dx, du)."""
    slope = 0.0
    for t in range(HORIZON):
        slope += lane_sum(load(g, (t + 1) * NXU, NX) * load(dx, (t + 1) * NX, NX))
        for r in range(NU):
            slope += g[t * NXU + NX + r] * du[t * NU + r]
        force = load(eta, t * NX, NX) + mu * load(d, t * NX, NX)
        slope -= lane_sum(force * load(dx, (t + 1) * NX, NX))
        for r in range(NX):
            row = (t * NX + r) * NXU
            change = lane_sum(load(J, row, NX) * load(dx, t * NX, NX))
            for k in range(NU):
                change += J[row + NX + k] * du[t * NU + k]
            slope += (eta[t * NX + r] + mu * d[t * NX + r]) * change
    return slope


@njit(**OPTIONS)
def largest_violation(d: Array, h: Array, constraints: int) -> float:
    """max(|d|, h, 0)."""
    violation = 0.0
    for e in range(HORIZON * NX):
        violation = max(violation, abs(d[e]))
    for i in range(constraints):
        violation = max(violation, h[i])
    return violation


@njit(**OPTIONS)
def solve_sample(
    x0: Array, c: Data, x: Array, u: Array, eta: Array, lam: Array, work: Array, penalty: float,
    iterations: int, newton_steps: int, growth: float, penalty_max: float, tolerance: float, info: Array,
) -> int:  # fmt: skip
    """Improve (x, u) and the multipliers in place; info gets violation, cost, Newton steps, next and last
    penalty. work: three arrays of lam's size."""
    info[3] = penalty
    info[4] = penalty
    if not (well_posed(x0, c) and all_finite(x) and all_finite(u) and all_finite(eta) and all_finite(lam)):
        info[0] = math.inf
        return NOT_FINITE
    if not ordered_limits(c):
        info[0] = math.inf
        return INFEASIBLE_BOUNDS
    constraints = lam.size
    h, weight, force = work[:constraints], work[constraints : 2 * constraints], work[2 * constraints :]
    d = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    W = stack_array(KNOTS, NXU, NXU)
    g = stack_array(KNOTS, NXU)
    K = stack_array(HORIZON, NU, NXU)
    kff = stack_array(HORIZON, NU)
    factors = stack_array(HORIZON, NX, NX)
    gradients = stack_array(HORIZON, NX)
    dx = stack_array(KNOTS, NX)
    du = stack_array(HORIZON, NU)
    trial_x = stack_array(KNOTS, NX)
    trial_u = stack_array(HORIZON, NU)
    for r in range(NX):
        x[r] = x0[r]
        trial_x[r] = x0[r]
    mu = penalty
    status = BUDGET_SPENT if tolerance <= 0.0 else MAX_ITERATIONS
    newton = 0
    violation = math.inf
    for _ in range(iterations):
        value = augmented_lagrangian(x, u, c, eta, lam, mu, d, h)
        damping = 0.0
        largest = 0.0
        stationary = False
        for _ in range(newton_steps):
            newton += 1
            linearise(x, u, c.p, c.dt, d, J)
            constraint_values(x, u, c, h)
            for i in range(constraints):
                force[i] = max(0.0, lam[i] + mu * h[i])
                weight[i] = mu if force[i] > 0.0 else 0.0
            cost_model(x, u, c, W, g)
            add_constraints(x, c, weight, force, W, g)
            ok = backward_soft(J, d, eta, mu, W, g, damping, K, kff, factors, gradients)
            if ok:
                forward_soft(J, d, eta, mu, K, kff, factors, gradients, dx, du)
            slope = directional_derivative(J, d, eta, mu, g, dx, du) if ok else 0.0
            if not (ok and slope < 0.0 and math.isfinite(slope)):
                stationary = ok and slope == 0.0
                if stationary or damping > 1e6:
                    break
                damping = max(1e-6, 100.0 * damping)
                continue
            if -slope <= 1e-14 * (1.0 + abs(value)):
                # Too small for the merit to resolve: still a Newton step, taken unsearched.
                stationary = True
                for e in range(HORIZON * NX):
                    largest = max(largest, abs(dx[NX + e]))
                    x[NX + e] += dx[NX + e]
                for e in range(HORIZON * NU):
                    u[e] += du[e]
                break
            scale = 1.0
            accepted = False
            for _ in range(12):
                for e in range(HORIZON * NX):
                    trial_x[NX + e] = x[NX + e] + scale * dx[NX + e]
                for e in range(HORIZON * NU):
                    trial_u[e] = u[e] + scale * du[e]
                trial = augmented_lagrangian(trial_x, trial_u, c, eta, lam, mu, d, h)
                if trial <= value + 1e-4 * scale * slope:
                    accepted = True
                    break
                scale *= 0.5
            if not accepted:
                # No progress at the limit of rounding is not a failure.
                stationary = -slope <= 1e-9 * (1.0 + abs(value))
                if stationary or damping > 1e6:
                    break
                damping = max(1e-6, 100.0 * damping)
                continue
            largest = 0.0
            for e in range(HORIZON * NX):
                largest = max(largest, abs(scale * dx[NX + e]))
                x[NX + e] = trial_x[NX + e]
            for e in range(HORIZON * NU):
                u[e] = trial_u[e]
            value = trial
            damping = 0.0 if damping < 1e-5 else 0.01 * damping
        defects(x, u, c.p, c.dt, d)
        constraint_values(x, u, c, h)
        for e in range(HORIZON * NX):
            eta[e] += mu * d[e]
        for i in range(constraints):
            lam[i] = max(0.0, lam[i] + mu * h[i])
        violation = largest_violation(d, h, constraints)
        info[4] = mu
        mu = min(growth * mu, penalty_max)
        if tolerance > 0.0 and violation <= tolerance and (stationary or largest <= tolerance):
            status = CONVERGED
            break
    info[0] = violation
    info[1] = tracking_cost(x, u, c)
    info[2] = newton
    info[3] = mu
    if status == MAX_ITERATIONS and violation > tolerance and start_violates(x0, c, tolerance):
        status = INFEASIBLE_START
    return status


SOLVE = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{m},{m},{m},{v},"
    "int64,int64,float64,float64,float64,int64[::1],{m})"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(SOLVE, cache=True, nogil=True, **OPTIONS)
def solve_range(
    first: int, last: int, x0: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, stride: int, radius: Array, p: Array, dt: float,
    x: Array, u: Array, eta: Array, lam: Array, work: Array, penalty: Array,
    iterations: int, newton_steps: int, growth: float, penalty_max: float, tolerance: float,
    status: Array, info: Array,
) -> None:  # fmt: skip
    """`solve_sample` for samples first..last-1 of (B, ...) arrays."""
    for b in range(first, last):
        c = Data(
            row(ref, b), row(wx, b), row(wu, b), row(uref, b), row(lo, b), row(hi, b), row(centers, b),
            stride, row(radius, b), row(p, b), dt,
        )  # fmt: skip
        status[b] = solve_sample(
            x0[b], c, x[b], u[b], eta[b], lam[b], work[b], penalty[b],
            iterations, newton_steps, growth, penalty_max, tolerance, info[b],
        )  # fmt: skip
