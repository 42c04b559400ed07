"""Kernel source: merit, Newton system and steps of the interior point for LANES samples at once.

The formulas of `interior_point`, for problems whose only inequalities are the control limits; arrays have
LANES numbers in the place of every one (see `block_sweep`).
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.data import Block, BlockStep
from deqmpc_core.mpc.kernels.sizes import HORIZON, LANES, NU, NX, ROW, Array
from deqmpc_core.mpc.kernels.vector import larger, load, smaller, splat, store

OPTIONS: dict = {}

# --- kernel ---

FAR = 1e12  # stands for an infinite control limit's distance, wherever u is


@njit(**OPTIONS)
def limit_value(u: Array, b: Block, t: int, r: int, above: int) -> Array:
    """h of one control limit: lo - u, above u - hi."""
    value = load(u, (t * NU + r) * LANES, LANES)
    low, high = load(b.lo, r * LANES, LANES), load(b.hi, r * LANES, LANES)
    return larger(value - high if above == 1 else low - value, splat(-FAR, LANES))


@njit(**OPTIONS)
def merit_parts(x: Array, u: Array, s: Array, d: Array, b: Block, out: Array) -> None:
    """out (3, LANES): tracking cost, sum of the slacks' logarithms, |d|_1 + |h + s|_1."""
    cost = splat(0.0, LANES)
    logarithm = splat(0.0, LANES)
    apart = splat(0.0, LANES)
    for e in range(HORIZON * NX):
        error = load(x, (NX + e) * LANES, LANES) - load(b.ref, e * LANES, LANES)
        cost += 0.5 * load(b.wx, e * LANES, LANES) * error * error
        apart += math.fabs(load(d, e * LANES, LANES))
    for t in range(HORIZON):
        product = splat(1.0, LANES)  # one logarithm for a knot's slacks
        for r in range(NU):
            i = (t * NU + r) * LANES
            error = load(u, i, LANES) - load(b.uref, i, LANES)
            cost += 0.5 * load(b.wu, i, LANES) * error * error
            for above in range(2):
                slack = load(s, ((2 * t + above) * NU + r) * LANES, LANES)
                product *= slack
                apart += math.fabs(limit_value(u, b, t, r, above) + slack)
        logarithm += math.log(product)
    store(out, 0, cost)
    store(out, LANES, logarithm)
    store(out, 2 * LANES, apart)


@njit(**OPTIONS)
def newton_model(b: Block, step: BlockStep, diagonal: Array, g: Array) -> None:
    """Every limit's weight lam / s and force tau / s + weight (h + s); the Newton system's diagonal and
    gradient g, (KNOTS, ROW)."""
    tau = load(b.tau, 0, LANES)
    for t in range(HORIZON):
        for r in range(NX):
            i, o = (t * NX + r) * LANES, (t + 1) * ROW + r * LANES
            error = load(b.x, i + NX * LANES, LANES) - load(b.ref, i, LANES)
            store(diagonal, o, load(b.wx, i, LANES))
            store(g, o, load(b.wx, i, LANES) * error)
        for r in range(NU):
            i, o = (t * NU + r) * LANES, t * ROW + (NX + r) * LANES
            stiffness = load(b.wu, i, LANES)
            slope = stiffness * (load(b.u, i, LANES) - load(b.uref, i, LANES))
            for above in range(2):
                j = ((2 * t + above) * NU + r) * LANES
                slack = load(b.s, j, LANES)
                inverse = 1.0 / slack
                weight = load(b.lam, j, LANES) * inverse
                force = tau * inverse + weight * (limit_value(b.u, b, t, r, above) + slack)
                store(step.weight, j, weight)
                store(step.force, j, force)
                stiffness += weight
                slope += (2.0 * above - 1.0) * force
            store(diagonal, o, stiffness)
            store(g, o, slope)


@njit(**OPTIONS)
def dual_direction(b: Block, step: BlockStep, out: Array) -> None:
    """The slacks' and multipliers' parts of the step. out (5, LANES): slope of the merit without its
    infeasibility, largest multiplier, largest step, largest -ds / s, largest -dlam / lam."""
    tau = load(b.tau, 0, LANES)
    slope = splat(0.0, LANES)
    largest = splat(0.0, LANES)
    moved = splat(0.0, LANES)
    fast = splat(0.0, LANES)
    fast_dual = splat(0.0, LANES)
    for e in range(HORIZON * NX):
        change = load(step.dx, (NX + e) * LANES, LANES)
        error = load(b.x, (NX + e) * LANES, LANES) - load(b.ref, e * LANES, LANES)
        largest = larger(math.fabs(load(b.eta, e * LANES, LANES)), largest)
        moved = larger(math.fabs(change), moved)
        slope += load(b.wx, e * LANES, LANES) * error * change
    for t in range(HORIZON):
        for r in range(NU):
            i = (t * NU + r) * LANES
            change = load(step.du, i, LANES)
            moved = larger(math.fabs(change), moved)
            slope += load(b.wu, i, LANES) * (load(b.u, i, LANES) - load(b.uref, i, LANES)) * change
            for above in range(2):
                j = ((2 * t + above) * NU + r) * LANES
                slack, lam = load(b.s, j, LANES), load(b.lam, j, LANES)
                dh = (2.0 * above - 1.0) * load(b.limited, (above * NU + r) * LANES, LANES) * change
                dlam = load(step.force, j, LANES) + load(step.weight, j, LANES) * dh - lam
                ds = -1.0 * (limit_value(b.u, b, t, r, above) + slack) - dh
                store(step.dlam, j, dlam)
                store(step.ds, j, ds)
                share = ds / slack
                slope -= tau * share
                largest = larger(lam, largest)
                fast = larger(-1.0 * share, fast)
                fast_dual = larger(-1.0 * dlam / lam, fast_dual)
    store(out, 0, slope)
    store(out, LANES, largest)
    store(out, 2 * LANES, moved)
    store(out, 3 * LANES, fast)
    store(out, 4 * LANES, fast_dual)


@njit(**OPTIONS)
def trial_step(b: Block, step: BlockStep, length: Array) -> None:
    """The iterate `length` (LANES) along the step; a slack is at least what its inequality leaves."""
    a = load(length, 0, LANES)
    for e in range(HORIZON * NX):
        i = (NX + e) * LANES
        store(step.x, i, load(b.x, i, LANES) + a * load(step.dx, i, LANES))
    for t in range(HORIZON):
        for r in range(NU):
            i = (t * NU + r) * LANES
            store(step.u, i, load(b.u, i, LANES) + a * load(step.du, i, LANES))
            for above in range(2):
                j = ((2 * t + above) * NU + r) * LANES
                slack = load(b.s, j, LANES) + a * load(step.ds, j, LANES)
                store(step.s, j, larger(slack, -1.0 * limit_value(step.u, b, t, r, above)))


@njit(**OPTIONS)
def accept_step(b: Block, step: BlockStep, dual: Array, out: Array) -> None:
    """The trial becomes the iterate; lam moves by `dual` (LANES), kept within 1e-4 and 1e4 times tau / s.
    out (3, LANES): sum of lam s, largest violation, largest of |d| and |h + s|."""
    tau, length = load(b.tau, 0, LANES), load(dual, 0, LANES)
    total = splat(0.0, LANES)
    violation = splat(0.0, LANES)
    for e in range(HORIZON * NX):
        i = (NX + e) * LANES
        store(b.x, i, load(step.x, i, LANES))
        violation = larger(math.fabs(load(step.d, e * LANES, LANES)), violation)
    gap = violation
    for t in range(HORIZON):
        for r in range(NU):
            i = (t * NU + r) * LANES
            store(b.u, i, load(step.u, i, LANES))
            for above in range(2):
                j = ((2 * t + above) * NU + r) * LANES
                slack, h = load(step.s, j, LANES), limit_value(step.u, b, t, r, above)
                central = tau / slack
                lam = larger(load(b.lam, j, LANES) + length * load(step.dlam, j, LANES), 1e-4 * central)
                lam = smaller(lam, 1e4 * central)
                store(b.s, j, slack)
                store(b.lam, j, lam)
                total += lam * slack
                violation = larger(h, violation)
                gap = larger(math.fabs(h + slack), gap)
    store(out, 0, total)
    store(out, LANES, violation)
    store(out, 2 * LANES, gap)
