"""Kernel source: the interior point of `interior_point`, LANES samples at once, one lane a sample.

For problems whose only inequalities are the control limits. The same steps and decisions: what calculates
does so in vectors, what decides goes lane by lane. A lane whose sample has ended takes the next one, so a
slow sample holds nobody up, and no lane sees another's numbers.
"""

import math

import numpy as np
from numba import njit

from deqmpc_core.mpc.kernels.block_lanes import put, room, row, take
from deqmpc_core.mpc.kernels.block_model import (
    FAR,
    accept_step,
    dual_direction,
    merit_parts,
    newton_model,
    trial_step,
)
from deqmpc_core.mpc.kernels.block_sweep import (
    block_backward,
    block_defects,
    block_forward,
    block_linearise,
)
from deqmpc_core.mpc.kernels.data import Block, BlockStep, Lanes, Samples
from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, LANES, NU, NX, NXU, Array

OPTIONS: dict = {}

# --- kernel ---

CONVERGED, MAX_ITERATIONS, LINE_SEARCH_FAILED = 0, 2, 3
NOT_FINITE, INFEASIBLE_BOUNDS = 4, 6
HALVINGS, DAMPINGS, LEAST_RATE = 10, 8, 0.1


@njit(**OPTIONS)
def refusal(a: Samples, i: int) -> int:
    """The status that refuses sample i, MAX_ITERATIONS if nothing does."""
    for values in (a.x0, a.x, a.u, a.ref, a.wx, a.wu, a.uref, a.p):
        for number in row(values, i):
            if not math.isfinite(number):
                return NOT_FINITE
    lo, hi = row(a.lo, i), row(a.hi, i)
    status = MAX_ITERATIONS
    for r in range(NU):
        if math.isnan(lo[r]) or math.isnan(hi[r]):
            return NOT_FINITE
        if lo[r] > hi[r]:
            status = INFEASIBLE_BOUNDS
    return status


@njit(**OPTIONS)
def begin(
    a: Samples, i: int, lane: int, b: Block, step: BlockStep, lanes: Lanes, tau: float, smallest: float
) -> None:
    """Sample i into a lane, with slacks and multipliers of its guess."""
    put(a.x[i], lane, b.x)
    put(a.x0[i], lane, b.x)
    put(a.x0[i], lane, step.x)
    put(a.u[i], lane, b.u)
    put(row(a.ref, i), lane, b.ref)
    put(row(a.wx, i), lane, b.wx)
    put(row(a.wu, i), lane, b.wu)
    put(row(a.uref, i), lane, b.uref)
    put(row(a.lo, i), lane, b.lo)
    put(row(a.hi, i), lane, b.hi)
    put(row(a.p, i), lane, b.p)
    for r in range(NU):
        b.limited[r * LANES + lane] = 1.0 if math.isfinite(row(a.lo, i)[r]) else 0.0
        b.limited[(NU + r) * LANES + lane] = 1.0 if math.isfinite(row(a.hi, i)[r]) else 0.0
    for t in range(HORIZON):
        for r in range(NU):
            value, j = a.u[i, t * NU + r], 2 * t * NU + r
            for slack in (value - row(a.lo, i)[r], row(a.hi, i)[r] - value):
                b.s[j * LANES + lane] = min(max(slack, smallest), FAR)
                b.lam[j * LANES + lane] = tau / b.s[j * LANES + lane]
                j += NU
    b.tau[lane] = tau
    lanes.sample[lane], lanes.newton[lane], lanes.violation[lane] = i, 0, math.inf
    lanes.nu[lane], lanes.damping[lane], lanes.gone[lane] = 1.0, 0.0, 0.0


@njit(**OPTIONS)
def end(a: Samples, lane: int, b: Block, lanes: Lanes) -> None:
    """Iterate, multipliers, status and figures of a lane's sample to its row; the lane is free."""
    i = lanes.sample[lane]
    take(b.x, lane, a.x[i])
    take(b.u, lane, a.u[i])
    take(b.eta, lane, a.eta[i])
    take(b.lam, lane, a.lam[i])
    a.status[i] = lanes.status[lane]
    a.info[i, 0], a.info[i, 1], a.info[i, 2] = lanes.violation[lane], lanes.cost[lane], lanes.newton[lane]
    a.info[i, 3], a.info[i, 4] = b.tau[lane], b.tau[lane]
    lanes.sample[lane] = -1


@njit(**OPTIONS)
def admit(
    a: Samples, waiting: int, last: int, b: Block, step: BlockStep, lanes: Lanes, tau: float, smallest: float
) -> int:
    """Sound samples from number `waiting` on into free lanes; the number of the first one still waiting."""
    for lane in range(LANES):
        while lanes.sample[lane] < 0 and waiting < last:
            a.status[waiting] = refusal(a, waiting)
            if a.status[waiting] == MAX_ITERATIONS:
                begin(a, waiting, lane, b, step, lanes, tau, smallest)
            else:
                a.info[waiting, 0], a.info[waiting, 3], a.info[waiting, 4] = math.inf, tau, tau
            waiting += 1
    return waiting


@njit(**OPTIONS)
def factorise_block(
    J: Array, d: Array, diagonal: Array, g: Array, lanes: Lanes, K: Array, kff: Array, P: Array, p: Array
) -> None:
    """The backward sweep, damped for the samples that need it; lanes.least tells those that still fail."""
    for attempt in range(DAMPINGS + 1):
        block_backward(J, d, diagonal, g, lanes.damping, K, kff, P, p, lanes.least)
        again = False
        for lane in range(LANES):
            if lanes.sample[lane] >= 0 and not lanes.least[lane] > 1e-300 and attempt < DAMPINGS:
                lanes.damping[lane] = max(1e-6, 100.0 * lanes.damping[lane])
                again = True
        if not again:
            break


@njit(**OPTIONS)
def open_search(b: Block, lanes: Lanes) -> None:
    """Merit and slope of every lane, and how far it may go; a lane without a direction ends."""
    for lane in range(LANES):
        tau, largest = b.tau[lane], lanes.figures[LANES + lane]
        sound = lanes.least[lane] > 1e-300 and math.isfinite(lanes.figures[lane])
        lanes.status[lane] = MAX_ITERATIONS if sound else LINE_SEARCH_FAILED
        nu = min(max(lanes.nu[lane], 1.5 * largest), 20.0 * largest + 1e-8)
        before = lanes.parts[2 * LANES + lane]
        lanes.nu[lane], lanes.cost[lane] = nu, lanes.parts[lane]
        lanes.slope[lane] = lanes.figures[lane] - nu * before
        lanes.merit[lane] = lanes.parts[lane] - tau * lanes.parts[LANES + lane] + nu * before
        lanes.moved[lane] = lanes.figures[2 * LANES + lane]
        fraction = max(0.99, 1.0 - tau)
        lanes.reach[lane] = fraction / max(lanes.figures[3 * LANES + lane], fraction)
        lanes.dual[lane] = fraction / max(lanes.figures[4 * LANES + lane], fraction)
        lanes.scale[lane], lanes.length[lane] = 1.0, lanes.reach[lane]
        lanes.newton[lane] += 1


@njit(**OPTIONS)
def search(b: Block, step: BlockStep, lanes: Lanes, dt: float) -> None:
    """Halve each lane's step until its merit falls (Armijo 1e-4), at most HALVINGS times."""
    for trial in range(HALVINGS + 1):
        trial_step(b, step, lanes.length)
        block_defects(step.x, step.u, b.p, dt, step.d)
        merit_parts(step.x, step.u, step.s, step.d, b, lanes.parts)
        again = False
        for lane in range(LANES):
            logarithm, infeasibility = lanes.parts[LANES + lane], lanes.parts[2 * LANES + lane]
            value = lanes.parts[lane] - b.tau[lane] * logarithm + lanes.nu[lane] * infeasibility
            merit, slope = lanes.merit[lane], min(lanes.slope[lane], 0.0)
            enough = value <= merit + 1e-4 * lanes.length[lane] * slope + 1e-13 * abs(merit)
            if enough or lanes.sample[lane] < 0 or lanes.status[lane] != MAX_ITERATIONS:
                continue
            if trial < HALVINGS:
                lanes.scale[lane] *= 0.5
                lanes.length[lane] = lanes.scale[lane] * lanes.reach[lane]
                again = True
            elif not math.isfinite(value):
                lanes.status[lane] = LINE_SEARCH_FAILED
        if not again:
            break


@njit(**OPTIONS)
def settle(b: Block, lanes: Lanes, tolerance: float, numbers: Array) -> None:
    """After a step: who has converged; the others' damping and barrier fall."""
    last_tau, shrink, step_primal, step_fraction = numbers[1], numbers[3], numbers[4], numbers[5]
    for lane in range(LANES):
        tau, gap = b.tau[lane], lanes.figures[2 * LANES + lane]
        lanes.cost[lane], lanes.violation[lane] = lanes.parts[lane], lanes.figures[LANES + lane]
        moved = lanes.scale[lane] * lanes.reach[lane] * lanes.moved[lane]
        ahead = min(max(moved / max(lanes.gone[lane], 1e-300), LEAST_RATE), 1.0) * moved
        lanes.gone[lane] = moved
        if tau <= last_tau and gap <= tolerance and ahead <= 50.0 * tolerance:
            lanes.status[lane] = CONVERGED
            continue
        damping = lanes.damping[lane]
        lanes.damping[lane] = 0.0 if damping < 1e-5 else 0.01 * damping
        if lanes.scale[lane] > step_primal and lanes.reach[lane] > step_fraction:
            centre = lanes.figures[lane] / (2 * HORIZON * NU)
            b.tau[lane] = max(last_tau, shrink * min(centre, tau))


@njit(**OPTIONS)
def new_block(parameters: int) -> Block:
    """A block of free lanes."""
    states, controls, limits = HORIZON * NX, HORIZON * NU, 2 * HORIZON * NU
    return Block(
        room(KNOTS * NX), room(controls), room(limits), room(limits), room(states), room(1), room(states),
        room(states), room(controls), room(controls), room(NU), room(NU), room(parameters), room(2 * NU),
    )  # fmt: skip


@njit(**OPTIONS)
def new_step() -> BlockStep:
    """Room for a block's Newton step."""
    states, controls, limits = KNOTS * NX, HORIZON * NU, 2 * HORIZON * NU
    return BlockStep(
        room(HORIZON * NX), room(states), room(controls), room(limits), room(limits), room(limits),
        room(limits), room(states), room(controls), room(limits),
    )  # fmt: skip


@njit(**OPTIONS)
def new_lanes() -> Lanes:
    """Lanes without samples."""
    return Lanes(
        np.full(LANES, -1), np.zeros(LANES, np.int64), np.zeros(LANES, np.int64), room(1), room(1), room(1),
        room(1), room(1), room(1), room(1), room(1), room(1), room(1), room(1), room(1), room(1), room(3),
        room(5),
    )  # fmt: skip


BLOCK = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{m},{m},{m},"
    "int64,float64,{v},int64[::1],{m})"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(BLOCK, cache=True, nogil=True, **OPTIONS)
def block_range(
    first: int, last: int, x0: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, stride: int, radius: Array, p: Array, dt: float,
    x: Array, u: Array, eta: Array, lam: Array, work: Array,
    iterations: int, tolerance: float, numbers: Array, status: Array, info: Array,
) -> None:  # fmt: skip
    """`interior_range` for samples without spheres and without inequalities of the robot's own."""
    a = Samples(x0, x, u, eta, lam, status, info, ref, wx, wu, uref, lo, hi, p)
    b, step, lanes = new_block(p.shape[1]), new_step(), new_lanes()
    J, diagonal, g = room(HORIZON * NX * NXU), room(KNOTS * NXU), room(KNOTS * NXU)
    K, kff, P, slopes = room(HORIZON * NU * NX), room(HORIZON * NU), room(KNOTS * NX * NX), room(KNOTS * NX)
    waiting = admit(a, first, last, b, step, lanes, numbers[0], numbers[2])
    while lanes.sample.max() >= 0:
        block_linearise(b.x, b.u, b.p, dt, step.d, J)
        newton_model(b, step, diagonal, g)
        factorise_block(J, step.d, diagonal, g, lanes, K, kff, P, slopes)
        block_forward(J, step.d, K, kff, P, slopes, step.dx, step.du, b.eta)
        dual_direction(b, step, lanes.figures)
        merit_parts(b.x, b.u, b.s, step.d, b, lanes.parts)
        open_search(b, lanes)
        search(b, step, lanes, dt)
        for lane in range(LANES):  # without a step: the iterate stays
            if lanes.sample[lane] >= 0 and lanes.status[lane] == LINE_SEARCH_FAILED:
                end(a, lane, b, lanes)
        accept_step(b, step, lanes.dual, lanes.figures)
        settle(b, lanes, tolerance, numbers)
        for lane in range(LANES):
            spent = lanes.status[lane] == CONVERGED or lanes.newton[lane] >= iterations
            if lanes.sample[lane] >= 0 and spent:
                end(a, lane, b, lanes)
        waiting = admit(a, waiting, last, b, step, lanes, numbers[0], numbers[2])
