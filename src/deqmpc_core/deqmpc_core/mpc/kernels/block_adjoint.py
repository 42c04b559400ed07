"""Kernel source: the interior point's adjoint without second derivatives of the dynamics, LANES samples at
once, one lane a sample.

For problems whose only inequalities are the control limits: `exact_adjoint` of `adjoint` without `curved`,
under a barrier. A lane that has no sample of its own repeats the last one; no lane sees another's numbers.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.block_lanes import put, room, row, take
from deqmpc_core.mpc.kernels.block_sweep import block_backward, block_forward, block_linearise
from deqmpc_core.mpc.kernels.data import BlockAdjoint
from deqmpc_core.mpc.kernels.sizes import HORIZON, KNOTS, LANES, NU, NX, NXU, ROW, STATE, Array
from deqmpc_core.mpc.kernels.vector import load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def adjoint_model(a: BlockAdjoint, diagonal: Array, g: Array) -> None:
    """The system's diagonal, every limit with the weight lam^2 / tau, and g = -seed, (KNOTS, ROW)."""
    inverse = 1.0 / load(a.tau, 0, LANES)
    for t in range(HORIZON):
        o = (t + 1) * ROW
        store(diagonal, o, load(a.wx, t * STATE, STATE))
        store(g, o, -1.0 * load(a.sx, (t + 1) * STATE, STATE))
        for r in range(NU):
            i, o = (t * NU + r) * LANES, t * ROW + (NX + r) * LANES
            stiffness = load(a.wu, i, LANES)
            for above in range(2):
                lam = load(a.lam, ((2 * t + above) * NU + r) * LANES, LANES)
                stiffness += lam * lam * inverse
            store(diagonal, o, stiffness)
            store(g, o, -1.0 * load(a.su, i, LANES))


@njit(**OPTIONS)
def block_start_gradient(a: BlockAdjoint, J: Array, seed: Array) -> None:
    """Knot 0 of sx gets the gradient to x_0: its seed - F_x' s_eta_0."""
    for k in range(NX):
        value = load(seed, k * LANES, LANES)
        for r in range(NX):
            value -= load(J, r * ROW + k * LANES, LANES) * load(a.seta, r * LANES, LANES)
        store(a.sx, k * LANES, value)


@njit(**OPTIONS)
def sound(values: Array) -> bool:
    """Whether every number is finite."""
    for number in values:
        if not math.isfinite(number):
            return False
    return True


@njit(**OPTIONS)
def new_adjoint(parameters: int) -> BlockAdjoint:
    """Room for a block."""
    states, controls, limits = HORIZON * NX, HORIZON * NU, 2 * HORIZON * NU
    return BlockAdjoint(
        room(KNOTS * NX), room(controls), room(states), room(controls), room(parameters), room(1),
        room(limits), room(KNOTS * NX), room(controls), room(states),
    )  # fmt: skip


BLOCK_ADJOINT = (
    "void(int64,int64,{m},{m},{m},{m},float64,{m},{m},{v},{m},{m},{m},{m},{m},boolean[::1])"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(BLOCK_ADJOINT, cache=True, nogil=True, **OPTIONS)
def block_adjoint_range(
    first: int, last: int, x: Array, wx: Array, wu: Array, p: Array, dt: float, u: Array, lam: Array,
    barrier: Array, seed_x: Array, seed_u: Array, sx: Array, su: Array, seta: Array, ok: Array,
) -> None:  # fmt: skip
    """`adjoint_range` under a barrier, for samples without spheres and inequalities of the robot's own;
    leaves out the limits' part of the solution, which no gradient needs."""
    a = new_adjoint(p.shape[1])
    d, J, seed = room(HORIZON * NX), room(HORIZON * NX * NXU), room(NX)
    diagonal, g = room(KNOTS * NXU), room(KNOTS * NXU)
    K, kff, P, slopes = room(HORIZON * NU * NX), room(HORIZON * NU), room(KNOTS * NX * NX), room(KNOTS * NX)
    damping, least = room(1), room(1)
    for begin in range(first, last, LANES):
        for lane in range(LANES):
            b = min(begin + lane, last - 1)
            put(x[b], lane, a.x)
            put(u[b], lane, a.u)
            put(row(wx, b), lane, a.wx)
            put(row(wu, b), lane, a.wu)
            put(row(p, b), lane, a.p)
            put(lam[b], lane, a.lam)
            put(seed_x[b], lane, a.sx)
            put(seed_u[b], lane, a.su)
            a.tau[lane] = barrier[b]
        block_linearise(a.x, a.u, a.p, dt, d, J)
        for e in range(HORIZON * NX):
            store(d, e * LANES, splat(0.0, LANES))
        store(seed, 0, load(a.sx, 0, STATE))
        adjoint_model(a, diagonal, g)
        block_backward(J, d, diagonal, g, damping, K, kff, P, slopes, least)
        block_forward(J, d, K, kff, P, slopes, a.sx, a.su, a.seta)
        block_start_gradient(a, J, seed)
        for lane in range(min(LANES, last - begin)):
            b = begin + lane
            take(a.sx, lane, sx[b])
            take(a.su, lane, su[b])
            take(a.seta, lane, seta[b])
            given = sound(x[b]) and sound(u[b]) and sound(seed_x[b]) and sound(seed_u[b])
            ok[b] = given and least[lane] > 1e-300 and sound(sx[b]) and sound(su[b])
            if not ok[b]:
                for values in (sx[b], su[b], seta[b]):
                    for e in range(values.size):
                        values[e] = 0.0
