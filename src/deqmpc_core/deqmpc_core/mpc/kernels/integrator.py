"""Kernel source: one control interval by RK4 and its Jacobian (A.5's dynamics constraint k = f(x, u) -
x')."""

from numba import njit

from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    NU,
    NX,
    NXU,
    SUBSTEPS,
    Array,
    derivative,
    derivative_product,
)  # fmt: skip
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def step(x: Array, i: int, u: Array, j: int, p: Array, dt: float, out: Array, o: int) -> None:
    """out[o:o+NX] = the state after one interval of dt from x[i:] under u[j:]."""
    k = stack_array(NX)
    total = stack_array(NX)
    stage = stack_array(NX)
    h = dt / SUBSTEPS
    for r in range(NX):
        out[o + r] = x[i + r]
    for _ in range(SUBSTEPS):
        derivative(out, o, u, j, p, k)
        for r in range(NX):
            total[r] = k[r]
            stage[r] = out[o + r] + 0.5 * h * k[r]
        derivative(stage, 0, u, j, p, k)
        for r in range(NX):
            total[r] += 2.0 * k[r]
            stage[r] = out[o + r] + 0.5 * h * k[r]
        derivative(stage, 0, u, j, p, k)
        for r in range(NX):
            total[r] += 2.0 * k[r]
            stage[r] = out[o + r] + h * k[r]
        derivative(stage, 0, u, j, p, k)
        for r in range(NX):
            out[o + r] += h / 6.0 * (total[r] + k[r])


@njit(**OPTIONS)
def step_jacobian(
    x: Array, i: int, u: Array, j: int, p: Array, dt: float, out: Array, o: int, J: Array
) -> None:
    """As `step`, and J[o*NXU:] (NX, NXU) = d out / d (x, u), carried through the stages of RK4."""
    k = stack_array(NX)
    total = stack_array(NX)
    stage = stack_array(NX)
    base = stack_array(NX, NXU)
    stage_jacobian = stack_array(NX, NXU)
    slope = stack_array(NX, NXU)
    slope_total = stack_array(NX, NXU)
    h = dt / SUBSTEPS
    for r in range(NX):
        out[o + r] = x[i + r]
        for c in range(NXU):
            base[r * NXU + c] = 1.0 if r == c else 0.0
    for _ in range(SUBSTEPS):
        derivative_product(out, o, u, j, p, base, k, slope)
        for r in range(NX):
            total[r] = k[r]
            stage[r] = out[o + r] + 0.5 * h * k[r]
        for e in range(NX * NXU):
            slope_total[e] = slope[e]
            stage_jacobian[e] = base[e] + 0.5 * h * slope[e]
        derivative_product(stage, 0, u, j, p, stage_jacobian, k, slope)
        for r in range(NX):
            total[r] += 2.0 * k[r]
            stage[r] = out[o + r] + 0.5 * h * k[r]
        for e in range(NX * NXU):
            slope_total[e] += 2.0 * slope[e]
            stage_jacobian[e] = base[e] + 0.5 * h * slope[e]
        derivative_product(stage, 0, u, j, p, stage_jacobian, k, slope)
        for r in range(NX):
            total[r] += 2.0 * k[r]
            stage[r] = out[o + r] + h * k[r]
        for e in range(NX * NXU):
            slope_total[e] += 2.0 * slope[e]
            stage_jacobian[e] = base[e] + h * slope[e]
        derivative_product(stage, 0, u, j, p, stage_jacobian, k, slope)
        for r in range(NX):
            out[o + r] += h / 6.0 * (total[r] + k[r])
        for e in range(NX * NXU):
            base[e] += h / 6.0 * (slope_total[e] + slope[e])
    for e in range(NX * NXU):
        J[o * NXU + e] = base[e]


@njit(**OPTIONS)
def linearise(x: Array, u: Array, p: Array, dt: float, f: Array, J: Array) -> None:
    """f (T, NX) successors of knots 0..T-1 and J (T, NX, NXU) their Jacobians."""
    for t in range(HORIZON):
        step_jacobian(x, t * NX, u, t * NU, p, dt, f, t * NX, J)
