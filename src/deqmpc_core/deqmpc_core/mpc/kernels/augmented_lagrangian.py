"""Kernel source: Algorithm 1 (MPC-m) for a range of samples."""

import math

from numba import njit

from deqmpc_core.mpc.kernels.integrator import linearise
from deqmpc_core.mpc.kernels.lagrangian import expand, merit, tracking_cost, update_multipliers
from deqmpc_core.mpc.kernels.riccati import backward, forward
from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, NU, NX, NXU, Array
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}
NOGIL = True

# --- kernel ---

CONVERGED, BUDGET_SPENT, MAX_ITERATIONS, LINE_SEARCH_FAILED, NOT_FINITE = 0, 1, 2, 3, 4


@njit(**OPTIONS)
def all_finite(values: Array) -> bool:
    """Whether no entry is NaN or infinite."""
    for e in range(values.size):
        if not math.isfinite(values[e]):
            return False
    return True


@njit(**OPTIONS)
def directional_derivative(
    J: Array, d: Array, eta: Array, mu: float, gx: Array, gu: Array, dx: Array, du: Array
) -> float:
    """Slope of the augmented Lagrangian along (dx, du)."""
    slope = 0.0
    for t in range(HORIZON):
        for r in range(NU):
            slope += gu[t * NU + r] * du[t * NU + r]
        for r in range(NX):
            change = -dx[(t + 1) * NX + r]
            row = (t * NX + r) * NXU
            for c in range(NX):
                change += J[row + c] * dx[t * NX + c]
            for c in range(NU):
                change += J[row + NX + c] * du[t * NU + c]
            slope += gx[t * NX + r] * dx[(t + 1) * NX + r]
            slope += (eta[t * NX + r] + mu * d[t * NX + r]) * change
    return slope


@njit(**OPTIONS)
def solve_sample(
    x0: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, knot_stride: int, radius: Array, count: int, p: Array, dt: float,
    x: Array, u: Array, eta: Array, box: Array, sphere: Array, penalty: float,
    iterations: int, newton_steps: int, growth: float, penalty_max: float, tolerance: float, info: Array,
) -> int:  # fmt: skip
    """Improve (x, u) and the multipliers in place; info gets violation, cost, Newton steps, next and last
    penalty."""
    info[3] = penalty
    info[4] = penalty
    if not (all_finite(x0) and all_finite(ref) and all_finite(wx) and all_finite(wu)):
        info[0] = math.inf
        return NOT_FINITE
    f = stack_array(HORIZON, NX)
    trial_f = stack_array(HORIZON, NX)
    d = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    gx = stack_array(HORIZON, NX)
    hx = stack_array(HORIZON, NX)
    block = stack_array(HORIZON, 6)
    gu = stack_array(HORIZON, NU)
    hu = stack_array(HORIZON, NU)
    K = stack_array(HORIZON, NU, NX)
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
        value = merit(
            x,
            u,
            ref,
            wx,
            wu,
            uref,
            lo,
            hi,
            centers,
            knot_stride,
            radius,
            count,
            p,
            dt,
            eta,
            box,
            sphere,
            mu,
            f,
        )
        damping = 0.0
        largest = 0.0
        stationary = False
        for _ in range(newton_steps):
            newton += 1
            linearise(x, u, p, dt, f, J)
            for e in range(HORIZON * NX):
                d[e] = f[e] - x[NX + e]
            expand(
                x, u, ref, wx, wu, uref, lo, hi, centers, knot_stride, radius, count, box, sphere, mu,
                gx, hx, block, gu, hu,
            )  # fmt: skip
            ok = backward(J, d, eta, mu, gx, hx, block, gu, hu, damping, K, kff, factors, gradients)
            if ok:
                forward(J, d, eta, mu, K, kff, factors, gradients, dx, du)
            slope = directional_derivative(J, d, eta, mu, gx, gu, dx, du) if ok else 0.0
            if not (ok and slope < 0.0 and math.isfinite(slope)):
                stationary = ok and slope == 0.0
                if stationary or damping > 1e6:
                    break
                damping = max(1e-6, 100.0 * damping)
                continue
            if -slope <= 1e-14 * (1.0 + abs(value)):
                stationary = True
                break
            scale = 1.0
            accepted = False
            for _ in range(12):
                for e in range(HORIZON * NX):
                    trial_x[NX + e] = x[NX + e] + scale * dx[NX + e]
                for e in range(HORIZON * NU):
                    trial_u[e] = u[e] + scale * du[e]
                trial = merit(
                    trial_x, trial_u, ref, wx, wu, uref, lo, hi, centers, knot_stride, radius, count, p, dt,
                    eta, box, sphere, mu, trial_f,
                )  # fmt: skip
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
                f[e] = trial_f[e]
            for e in range(HORIZON * NU):
                u[e] = trial_u[e]
            value = trial
            damping = 0.0 if damping < 1e-5 else 0.01 * damping
        violation = update_multipliers(
            x, u, lo, hi, centers, knot_stride, radius, count, f, eta, box, sphere, mu
        )
        info[4] = mu
        mu = min(growth * mu, penalty_max)
        if tolerance > 0.0 and violation <= tolerance and (stationary or largest <= tolerance):
            status = CONVERGED
            break
    info[0] = violation
    info[1] = tracking_cost(x, u, ref, wx, wu, uref)
    info[2] = newton
    info[3] = mu
    return status


@njit(**OPTIONS)
def row(array: Array, b: int) -> Array:
    """Row b of (B, ...) data, or the only row of shared data (1, ...)."""
    return array[b] if array.shape[0] > 1 else array[0]


SOLVE = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{m},{m},{m},{v},"
    "int64,int64,float64,float64,float64,int64[::1],{m})"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(SOLVE, nogil=NOGIL, **OPTIONS)
def solve_range(
    first: int, last: int, x0: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, knot_stride: int, radius: Array, p: Array, dt: float,
    x: Array, u: Array, eta: Array, box: Array, sphere: Array, penalty: Array,
    iterations: int, newton_steps: int, growth: float, penalty_max: float, tolerance: float,
    status: Array, info: Array,
) -> None:  # fmt: skip
    """`solve_sample` for samples first..last-1 of (B, ...) arrays."""
    count = radius.shape[1]
    for b in range(first, last):
        status[b] = solve_sample(
            x0[b], row(ref, b), row(wx, b), row(wu, b), row(uref, b), row(lo, b), row(hi, b),
            row(centers, b), knot_stride, row(radius, b), count, row(p, b), dt,
            x[b], u[b], eta[b], box[b], sphere[b], penalty[b],
            iterations, newton_steps, growth, penalty_max, tolerance, info[b],
        )  # fmt: skip
