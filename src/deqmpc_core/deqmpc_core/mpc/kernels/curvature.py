"""Kernel source: second derivatives of one control interval, sum_i eta_i d2 F_i, for the exact adjoint.

All that is not linear in a Runge-Kutta step is its four evaluations of f. So the Hessian is the sum over
those stages of D' (sum_i b_i d2 f_i) D, with D the stage's derivative by (x, u) and b its adjoint.
"""

from numba import njit

from deqmpc_core.mpc.kernels.integrator import linearise_lanes
from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    LANES,
    NU,
    NX,
    NXU,
    STAGES,
    SUBSTEPS,
    Array,
    derivative_curvature,
    derivative_transposed,
)
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import index, load, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def add_stage(stages: Array, tangents: Array, stage: int, M: Array, W: Array, o: int) -> None:
    """W[o:] += D' M D with D = [tangent; 0 I], all (NXU, NXU)."""
    MD = stack_array(NXU, NXU)
    d = stage * NX * NXU
    for r in range(NXU):
        row = M[r * NXU] * load(tangents, d, NXU)
        for k in range(1, NX):
            row += M[r * NXU + k] * load(tangents, d + k * NXU, NXU)
        store(MD, r * NXU, row)
        for k in range(NU):
            MD[r * NXU + NX + k] += M[r * NXU + NX + k]
    for r in range(NXU):
        row = load(W, o + r * NXU, NXU)
        for k in range(NX):
            row += tangents[d + k * NXU + r] * load(MD, k * NXU, NXU)
        if r >= NX:
            row += load(MD, r * NXU, NXU)
        store(W, o + r * NXU, row)


@njit(**OPTIONS)
def add_dynamics_curvature(
    x: Array, u: Array, p: Array, dt: float, eta: Array, J: Array, d: Array, W: Array
) -> None:
    """J (T, NX, NXU) and d (T, NX) as `linearise` leaves them; W (KNOTS, NXU, NXU) += sum_i eta_i d2 F_i."""
    S = stack_array(STAGES, NX, LANES)
    tangents = stack_array(LANES, STAGES, NX, NXU)
    stages = stack_array(STAGES, NX)
    size = STAGES * NX * NXU
    for first in range(0, HORIZON, LANES):
        linearise_lanes(x, u, p, dt, first, d, J, S, tangents, size)
        for lane in range(min(LANES, HORIZON - first)):
            for e in range(STAGES * NX):
                stages[e] = S[e * LANES + lane]
            knot_curvature(first + lane, u, p, dt / SUBSTEPS, eta, stages, tangents[lane * size :], W)


@njit(**OPTIONS)
def knot_curvature(
    t: int, u: Array, p: Array, h: float, eta: Array, stages: Array, tangents: Array, W: Array
) -> None:
    """The part of knot t: the stages from last to first, with their adjoints."""
    M = stack_array(NXU, NXU)
    weight = stack_array(NX)
    back = stack_array(NX)
    t = index(t)
    after = load(eta, t * NX, NX)
    for sub in range(SUBSTEPS - 1, -1, -1):
        before = after
        store(back, 0, 0.0 * after)
        for stage in range(3, -1, -1):
            reach = h * (1.0 if stage == 2 else 0.5)  # of this stage's slope in the next stage
            share = h / 6.0 * (1.0 if stage == 0 or stage == 3 else 2.0)
            adjoint = share * after
            if stage < 3:
                adjoint += reach * load(back, 0, NX)
            store(weight, 0, adjoint)
            row = 4 * sub + stage
            derivative_curvature(stages, row * NX, u, t * NU, p, weight, M)
            add_stage(stages, tangents, row, M, W, t * NXU * NXU)
            derivative_transposed(stages, row * NX, u, t * NU, p, weight, back)
            before += load(back, 0, NX)
        after = before
