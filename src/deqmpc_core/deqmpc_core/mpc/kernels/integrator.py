"""Kernel source: RK4 over every control interval and its Jacobian (A.5's dynamics constraint k = f(x, u) -
x').

Knots are independent in multiple shooting, so the robot's functions are evaluated for LANES of them at
once. The
Jacobian of a Runge-Kutta step is carried through its stages knot by knot, as rows of n + m.
"""

from numba import njit

from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    LANES,
    NE,
    NU,
    NX,
    NXU,
    STAGES,
    SUBSTEPS,
    Array,
    stage_entries,
    stage_product,
    stage_values,
)
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import index, load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def gather(x: Array, u: Array, first: int, X: Array, U: Array) -> None:
    """X (NX, LANES), U (NU, LANES): the knots from `first` on, the last one repeated."""
    first = index(first)
    for lane in range(LANES):
        t = index(min(first + lane, HORIZON - 1))
        for r in range(NX):
            X[r * LANES + lane] = x[t * NX + r]
        for r in range(NU):
            U[r * LANES + lane] = u[t * NU + r]


@njit(**OPTIONS)
def scatter_defects(X: Array, x: Array, first: int, d: Array) -> None:
    """d_t = X's column - x_{t+1} for the knots from `first` on."""
    first = index(first)
    for lane in range(min(LANES, HORIZON - first)):
        t = index(first + lane)
        for r in range(NX):
            d[t * NX + r] = X[r * LANES + lane] - x[(t + 1) * NX + r]


@njit(**OPTIONS)
def move_lanes(X: Array, U: Array, p: Array, dt: float) -> None:
    """X (NX, LANES) one control interval on, in place."""
    S = stack_array(NX, LANES)
    k = stack_array(NX, LANES)
    total = stack_array(NX, LANES)
    h = dt / SUBSTEPS
    for _ in range(SUBSTEPS):
        stage_values(X, U, p, k)
        for r in range(NX):
            slope = load(k, r * LANES, LANES)
            store(total, r * LANES, slope)
            store(S, r * LANES, load(X, r * LANES, LANES) + 0.5 * h * slope)
        for stage in range(2):
            stage_values(S, U, p, k)
            reach = 0.5 * h if stage == 0 else h
            for r in range(NX):
                slope = load(k, r * LANES, LANES)
                store(total, r * LANES, load(total, r * LANES, LANES) + 2.0 * slope)
                store(S, r * LANES, load(X, r * LANES, LANES) + reach * slope)
        stage_values(S, U, p, k)
        for r in range(NX):
            slope = load(total, r * LANES, LANES) + load(k, r * LANES, LANES)
            store(X, r * LANES, load(X, r * LANES, LANES) + h / 6.0 * slope)


@njit(**OPTIONS)
def defects(x: Array, u: Array, p: Array, dt: float, d: Array) -> None:
    """d (T, NX) = f(x_t, u_t) - x_{t+1}."""
    X = stack_array(NX, LANES)
    U = stack_array(NU, LANES)
    for first in range(0, HORIZON, LANES):
        gather(x, u, first, X, U)
        move_lanes(X, U, p, dt)
        scatter_defects(X, x, first, d)


@njit(**OPTIONS)
def stage_lanes(X: Array, U: Array, p: Array, h: float, k: Array, E: Array, S: Array) -> None:
    """One Runge-Kutta step of LANES knots, X in place; E (4, NE, LANES) gets the stages' entries, S (4, NX,
    LANES) their states."""
    total = stack_array(NX, LANES)
    stage = stack_array(NX, LANES)
    for r in range(NX):
        store(stage, r * LANES, load(X, r * LANES, LANES))
        store(total, r * LANES, splat(0.0, LANES))
    for s in range(4):
        stage_entries(stage, U, p, k, E, s * NE * LANES)
        reach = 0.5 * h if s < 2 else h
        weight = h / 6.0 if s == 0 or s == 3 else h / 3.0
        for r in range(NX):
            slope = load(k, r * LANES, LANES)
            store(S, (s * NX + r) * LANES, load(stage, r * LANES, LANES))
            store(total, r * LANES, load(total, r * LANES, LANES) + weight * slope)
            store(stage, r * LANES, load(X, r * LANES, LANES) + reach * slope)
    for r in range(NX):
        store(X, r * LANES, load(X, r * LANES, LANES) + load(total, r * LANES, LANES))


@njit(**OPTIONS)
def chain_rule(E: Array, lane: int, h: float, J: Array, tangents: Array, d: int) -> None:
    """J (NX, NXU) <- the derivative of a Runge-Kutta step times J, plus that by u; tangents[d:] (4, NX,
    NXU)."""
    base = stack_array(NX, NXU)
    even = stack_array(NX, NXU)
    odd = stack_array(NX, NXU)
    lane, d = index(lane), index(d)
    zero = splat(0.0, NXU)
    for r in range(NX):
        store(base, r * NXU, load(J, r * NXU, NXU))
        store(odd, r * NXU, zero)
    size, step = NX * NXU, NE * LANES
    stage_product(E, lane, base, 0.0, odd, h / 6.0, tangents, d, even, J)
    stage_product(E, lane + step, base, 0.5 * h, even, h / 3.0, tangents, d + size, odd, J)
    stage_product(E, lane + 2 * step, base, 0.5 * h, odd, h / 3.0, tangents, d + 2 * size, even, J)
    stage_product(E, lane + 3 * step, base, h, even, h / 6.0, tangents, d + 3 * size, odd, J)


@njit(**OPTIONS)
def linearise_lanes(
    x: Array,
    u: Array,
    p: Array,
    dt: float,
    first: int,
    d: Array,
    J: Array,
    S: Array,
    tangents: Array,
    keep: int,
) -> None:
    """Defects and Jacobians of the LANES knots from `first` on; S (STAGES, NX, LANES) gets their stages'
    states and tangents[keep lane:] (STAGES, NX, NXU) their derivatives by (x, u)."""
    X = stack_array(NX, LANES)
    U = stack_array(NU, LANES)
    k = stack_array(NX, LANES)
    E = stack_array(4, NE, LANES)
    h = dt / SUBSTEPS
    first = index(first)
    gather(x, u, first, X, U)
    for sub in range(SUBSTEPS):
        stage_lanes(X, U, p, h, k, E, S[4 * sub * NX * LANES :])
        for lane in range(min(LANES, HORIZON - first)):
            o = index((first + lane) * NX * NXU)
            here = J[o : o + NX * NXU]
            if sub == 0:
                for r in range(NX):
                    store(here, r * NXU, splat(0.0, NXU))
                for r in range(NX):
                    here[r * NXU + r] = 1.0
            chain_rule(E, lane, h, here, tangents, index(keep * lane + 4 * sub * NX * NXU))
    scatter_defects(X, x, first, d)


@njit(**OPTIONS)
def linearise(x: Array, u: Array, p: Array, dt: float, d: Array, J: Array) -> None:
    """Defects d (T, NX) = f(x_t, u_t) - x_{t+1} and Jacobians J (T, NX, NXU) of f."""
    S = stack_array(STAGES, NX, LANES)
    tangents = stack_array(STAGES, NX, NXU)
    for first in range(0, HORIZON, LANES):
        linearise_lanes(x, u, p, dt, first, d, J, S, tangents, 0)
