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
from deqmpc_core.mpc.kernels.vector import index, load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def step(x: Array, i: int, u: Array, j: int, p: Array, dt: float, out: Array, o: int) -> None:
    """out[o:o+NX] = the state after one interval of dt from x[i:] under u[j:]."""
    k = stack_array(NX)
    stage = stack_array(NX)
    i, j, o = index(i), index(j), index(o)
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
    base = stack_array(NX, NXU)
    even = stack_array(NX, NXU)
    odd = stack_array(NX, NXU)
    i, j, o = index(i), index(j), index(o)
    h = dt / SUBSTEPS
    start = load(x, i, NX)
    zero = splat(0.0, NXU)
    for r in range(NX):
        store(odd, r * NXU, zero)
        store(J, o + r * NXU, zero)
        J[o + r * NXU + r] = 1.0
    total = J[o : o + NX * NXU]
    for sub in range(SUBSTEPS):
        for r in range(NX):
            store(base, r * NXU, load(J, o + r * NXU, NXU))
        row = 4 * sub * NX
        d = row * NXU
        size = NX * NXU
        store(stages, row, start)
        derivative_product(stages, row, u, j, p, base, 0, 0.0, odd, h / 6.0, k, tangents, d, even, total)
        change = load(k, 0, NX)
        store(stages, row + NX, start + 0.5 * h * change)
        d += size
        derivative_product(
            stages, row + NX, u, j, p, base, 0, 0.5 * h, even, h / 3.0, k, tangents, d, odd, total
        )
        slope = load(k, 0, NX)
        change += 2.0 * slope
        store(stages, row + 2 * NX, start + 0.5 * h * slope)
        d += size
        derivative_product(
            stages, row + 2 * NX, u, j, p, base, 0, 0.5 * h, odd, h / 3.0, k, tangents, d, even, total
        )
        slope = load(k, 0, NX)
        change += 2.0 * slope
        store(stages, row + 3 * NX, start + h * slope)
        d += size
        derivative_product(
            stages, row + 3 * NX, u, j, p, base, 0, h, even, h / 6.0, k, tangents, d, odd, total
        )
        start += h / 6.0 * (change + load(k, 0, NX))
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
