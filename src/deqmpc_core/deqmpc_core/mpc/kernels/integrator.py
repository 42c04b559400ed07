"""Kernel source: one control interval by RK4 and its Jacobian (A.5's dynamics constraint k = f(x, u) - x')."""

from numba import njit

from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    NU,
    NX,
    NXU,
    STAGES,
    SUBSTEPS,
    Array,
    derivative,
    derivative_product,
)  # fmt: skip
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import load, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def step(x: Array, i: int, u: Array, j: int, p: Array, dt: float, out: Array, o: int) -> None:
    """out[o:o+NX] = the state after one interval of dt from x[i:] under u[j:]."""
    k = stack_array(NX)
    stage = stack_array(NX)
    h = dt / SUBSTEPS
    start = load(x, i, NX)
    for _ in range(SUBSTEPS):
        store(stage, 0, start)
        derivative(stage, 0, u, j, p, k)
        slope = load(k, 0, NX)
        total = slope
        store(stage, 0, start + 0.5 * h * slope)
        derivative(stage, 0, u, j, p, k)
        slope = load(k, 0, NX)
        total += 2.0 * slope
        store(stage, 0, start + 0.5 * h * slope)
        derivative(stage, 0, u, j, p, k)
        slope = load(k, 0, NX)
        total += 2.0 * slope
        store(stage, 0, start + h * slope)
        derivative(stage, 0, u, j, p, k)
        start += h / 6.0 * (total + load(k, 0, NX))
    store(out, o, start)


@njit(**OPTIONS)
def step_tangents(
    x: Array, i: int, u: Array, j: int, p: Array, dt: float, stages: Array, tangents: Array, J: Array, o: int,
    out: Array,
) -> None:  # fmt: skip
    """As `step`, with J[o:] (NX, NXU) = d out / d (x, u).

    stages (STAGES, NX) and tangents (STAGES, NX, NXU) get the Runge-Kutta stages and their derivatives.
    """
    k = stack_array(NX)
    slope = stack_array(NX, NXU)
    total = stack_array(NX, NXU)
    h = dt / SUBSTEPS
    start = load(x, i, NX)
    for e in range(NX * NXU):
        J[o + e] = 0.0
    for r in range(NX):
        J[o + r * NXU + r] = 1.0
    for sub in range(SUBSTEPS):
        change = 0.0 * start
        for stage in range(4):
            row = 4 * sub + stage
            d = row * NX * NXU
            reach = h * (0.0 if stage == 0 else 1.0 if stage == 3 else 0.5)
            weight = h / 6.0 * (1.0 if stage == 0 or stage == 3 else 2.0)
            if stage == 0:
                store(stages, row * NX, start)
                for r in range(NX):
                    store(tangents, d + r * NXU, load(J, o + r * NXU, NXU))
            else:
                store(stages, row * NX, start + reach * load(k, 0, NX))
                for r in range(NX):
                    e = r * NXU
                    store(tangents, d + e, load(J, o + e, NXU) + reach * load(slope, e, NXU))
            derivative_product(stages, row * NX, u, j, p, tangents, d, k, slope)
            change += weight * load(k, 0, NX)
            for r in range(NX):
                e = r * NXU
                if stage == 0:
                    store(total, e, weight * load(slope, e, NXU))
                else:
                    store(total, e, load(total, e, NXU) + weight * load(slope, e, NXU))
        start += change
        for r in range(NX):
            e = r * NXU
            store(J, o + e, load(J, o + e, NXU) + load(total, e, NXU))
    store(out, 0, start)


@njit(**OPTIONS)
def linearise(x: Array, u: Array, p: Array, dt: float, d: Array, J: Array) -> None:
    """Defects d (T, NX) = f(x_t, u_t) - x_{t+1} and Jacobians J (T, NX, NXU) of f."""
    stages = stack_array(STAGES, NX)
    tangents = stack_array(STAGES, NX, NXU)
    f = stack_array(NX)
    for t in range(HORIZON):
        step_tangents(x, t * NX, u, t * NU, p, dt, stages, tangents, J, t * NX * NXU, f)
        store(d, t * NX, load(f, 0, NX) - load(x, (t + 1) * NX, NX))


@njit(**OPTIONS)
def defects(x: Array, u: Array, p: Array, dt: float, d: Array) -> None:
    """d (T, NX) = f(x_t, u_t) - x_{t+1}."""
    for t in range(HORIZON):
        step(x, t * NX, u, t * NU, p, dt, d, t * NX)
        store(d, t * NX, load(d, t * NX, NX) - load(x, (t + 1) * NX, NX))
