"""Kernel source: the augmented Lagrangian of the tracking problem (Eq. 11): value, gradient, Gauss-Newton
Hessian.

Constraints: dynamics k_t = f(x_t, u_t) - x_{t+1} = 0 (multiplier eta), control box and spheres h <= 0
(multiplier lambda, in the shifted form max(0, lambda + mu h)^2 - lambda^2 over 2 mu, whose active set is
lambda + mu h
> 0).
"""

from numba import njit

from deqmpc_core.mpc.kernels.integrator import step
from deqmpc_core.mpc.kernels.sizes import HORIZON, NU, NX, POSITION, Array

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def sphere_value(x: Array, t: int, centers: Array, c: int, radius: float) -> float:
    """h = r^2 - |position of knot t+1 - center|^2 [m^2]."""
    a = (t + 1) * NX + POSITION
    ex = x[a] - centers[c]
    ey = x[a + 1] - centers[c + 1]
    ez = x[a + 2] - centers[c + 2]
    return radius * radius - (ex * ex + ey * ey + ez * ez)


@njit(**OPTIONS)
def tracking_cost(x: Array, u: Array, ref: Array, wx: Array, wu: Array, uref: Array) -> float:
    """sum_t 1/2 |x_t - theta_t|^2_Q + 1/2 |u_t - u_ref|^2_R (Eq. 5)."""
    cost = 0.0
    for e in range(HORIZON * NX):
        error = x[NX + e] - ref[e]
        cost += 0.5 * wx[e] * error * error
    for e in range(HORIZON * NU):
        error = u[e] - uref[e]
        cost += 0.5 * wu[e] * error * error
    return cost


@njit(**OPTIONS)
def merit(
    x: Array, u: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, knot_stride: int, radius: Array, count: int, p: Array, dt: float,
    eta: Array, box: Array, sphere: Array, mu: float, f: Array,
) -> float:  # fmt: skip
    """Value of the augmented Lagrangian; leaves the successors f (T, NX)."""
    value = tracking_cost(x, u, ref, wx, wu, uref)
    half = 0.5 / mu
    for t in range(HORIZON):
        step(x, t * NX, u, t * NU, p, dt, f, t * NX)
        for r in range(NX):
            defect = f[t * NX + r] - x[(t + 1) * NX + r]
            value += (eta[t * NX + r] + 0.5 * mu * defect) * defect
        for r in range(NU):
            i = t * 2 * NU + r
            low = max(0.0, box[i] + mu * (lo[r] - u[t * NU + r]))
            high = max(0.0, box[i + NU] + mu * (u[t * NU + r] - hi[r]))
            value += half * (low * low - box[i] * box[i] + high * high - box[i + NU] * box[i + NU])
        for s in range(count):
            old = sphere[t * count + s]
            new = max(0.0, old + mu * sphere_value(x, t, centers, t * knot_stride + 3 * s, radius[s]))
            value += half * (new * new - old * old)
    return value


@njit(**OPTIONS)
def expand(
    x: Array, u: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, knot_stride: int, radius: Array, count: int,
    box: Array, sphere: Array, mu: float,
    gx: Array, hx: Array, block: Array, gu: Array, hu: Array,
) -> None:  # fmt: skip
    """Gradient and Gauss-Newton Hessian of cost, box and spheres (the dynamics enter in the Riccati
    sweep)."""
    for e in range(HORIZON * NX):
        gx[e] = wx[e] * (x[NX + e] - ref[e])
        hx[e] = wx[e]
    for t in range(HORIZON):
        for r in range(NU):
            e = t * NU + r
            i = t * 2 * NU + r
            gu[e] = wu[e] * (u[e] - uref[e])
            hu[e] = wu[e]
            low = box[i] + mu * (lo[r] - u[e])
            high = box[i + NU] + mu * (u[e] - hi[r])
            if low > 0.0:
                gu[e] -= low
                hu[e] += mu
            if high > 0.0:
                gu[e] += high
                hu[e] += mu
        for r in range(6):
            block[t * 6 + r] = 0.0
        for s in range(count):
            c = t * knot_stride + 3 * s
            force = sphere[t * count + s] + mu * sphere_value(x, t, centers, c, radius[s])
            if force > 0.0:
                a = t * NX + POSITION
                nx = -2.0 * (x[NX + a] - centers[c])
                ny = -2.0 * (x[NX + a + 1] - centers[c + 1])
                nz = -2.0 * (x[NX + a + 2] - centers[c + 2])
                gx[a] += force * nx
                gx[a + 1] += force * ny
                gx[a + 2] += force * nz
                block[t * 6] += mu * nx * nx
                block[t * 6 + 1] += mu * nx * ny
                block[t * 6 + 2] += mu * nx * nz
                block[t * 6 + 3] += mu * ny * ny
                block[t * 6 + 4] += mu * ny * nz
                block[t * 6 + 5] += mu * nz * nz


@njit(**OPTIONS)
def update_multipliers(
    x: Array, u: Array, lo: Array, hi: Array, centers: Array, knot_stride: int, radius: Array, count: int,
    f: Array, eta: Array, box: Array, sphere: Array, mu: float,
) -> float:  # fmt: skip
    """Dual update of Algorithm 1: eta += mu k, lambda = max(0, lambda + mu h). Returns the largest
    violation."""
    violation = 0.0
    for t in range(HORIZON):
        for r in range(NX):
            defect = f[t * NX + r] - x[(t + 1) * NX + r]
            eta[t * NX + r] += mu * defect
            violation = max(violation, abs(defect))
        for r in range(NU):
            i = t * 2 * NU + r
            low = lo[r] - u[t * NU + r]
            high = u[t * NU + r] - hi[r]
            box[i] = max(0.0, box[i] + mu * low)
            box[i + NU] = max(0.0, box[i + NU] + mu * high)
            violation = max(violation, max(low, high))
        for s in range(count):
            h = sphere_value(x, t, centers, t * knot_stride + 3 * s, radius[s])
            sphere[t * count + s] = max(0.0, sphere[t * count + s] + mu * h)
            violation = max(violation, h)
    return violation
