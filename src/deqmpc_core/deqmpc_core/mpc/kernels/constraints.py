"""Kernel source: the tracking problem's cost and its inequalities h <= 0, one after the other in a flat
array.

Of each interval t, `width` = 2 NU + NG + count entries: control u_t below (lo - u) and above (u - hi), the
robot's own inequalities at knot t + 1, spheres r^2 - |position - center|^2 [m^2] at knot t + 1.
"""

import math

from numba import njit

from deqmpc_core.mpc.kernels.data import Data
from deqmpc_core.mpc.kernels.sizes import (
    HORIZON,
    KNOTS,
    NG,
    NU,
    NX,
    NXU,
    POSITION,
    Array,
    inequality,
    inequality_jacobian,
)
from deqmpc_core.mpc.kernels.stack import stack_array
from deqmpc_core.mpc.kernels.vector import index, lane_sum, load, splat, store

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def tracking_cost(x: Array, u: Array, c: Data) -> float:
    """sum_t 1/2 |x_t - theta_t|^2_Q + 1/2 |u_t - u_ref|^2_R (Eq. 5)."""
    cost = 0.0
    for e in range(HORIZON * NX):
        error = x[NX + e] - c.ref[e]
        cost += 0.5 * c.wx[e] * error * error
    for e in range(HORIZON * NU):
        error = u[e] - c.uref[e]
        cost += 0.5 * c.wu[e] * error * error
    return cost


@njit(**OPTIONS)
def constraint_values(x: Array, u: Array, c: Data, h: Array) -> None:
    """h, see the module."""
    count = c.radius.size
    i = 0
    for t in range(HORIZON):
        for r in range(NU):
            h[i + r] = c.lo[r] - u[t * NU + r]
            h[i + NU + r] = u[t * NU + r] - c.hi[r]
        i += 2 * NU
        if NG > 0:
            inequality(x, (t + 1) * NX, c.p, h, i)
            i += NG
        if POSITION >= 0:
            a = (t + 1) * NX + POSITION
            for s in range(count):
                o = t * c.stride + 3 * s
                ex, ey, ez = x[a] - c.centers[o], x[a + 1] - c.centers[o + 1], x[a + 2] - c.centers[o + 2]
                h[i + s] = c.radius[s] * c.radius[s] - (ex * ex + ey * ey + ez * ez)
            i += count


@njit(**OPTIONS)
def constraint_slopes(x: Array, c: Data, dx: Array, du: Array, slopes: Array) -> None:
    """Directional derivatives of every h along (dx (KNOTS, NX), du)."""
    count = c.radius.size
    G = stack_array(NG, NX)
    i = 0
    for t in range(HORIZON):
        for r in range(NU):
            slopes[i + r] = -du[t * NU + r]
            slopes[i + NU + r] = du[t * NU + r]
        i += 2 * NU
        if NG > 0:
            inequality_jacobian(x, (t + 1) * NX, c.p, G)
            for r in range(NG):
                slopes[i + r] = lane_sum(load(G, r * NX, NX) * load(dx, (t + 1) * NX, NX))
            i += NG
        if POSITION >= 0:
            a = (t + 1) * NX + POSITION
            for s in range(count):
                o = t * c.stride + 3 * s
                slopes[i + s] = -2.0 * (
                    (x[a] - c.centers[o]) * dx[a]
                    + (x[a + 1] - c.centers[o + 1]) * dx[a + 1]
                    + (x[a + 2] - c.centers[o + 2]) * dx[a + 2]
                )
            i += count


@njit(**OPTIONS)
def cost_model(x: Array, u: Array, c: Data, W: Array, g: Array) -> None:
    """Hessian W (KNOTS, NXU, NXU) and gradient g (KNOTS, NXU) of the tracking cost."""
    zero = splat(0.0, NXU)
    for r in range(KNOTS * NXU):
        store(W, r * NXU, zero)
    store(g, 0, zero)
    store(g, HORIZON * NXU, zero)
    for t in range(KNOTS):
        wo = t * NXU * NXU
        for r in range(NX if t > 0 else 0):
            e = (t - 1) * NX + r
            W[wo + r * NXU + r] = c.wx[e]
            g[t * NXU + r] = c.wx[e] * (x[NX + e] - c.ref[e])
        for r in range(NU if t < HORIZON else 0):
            e = t * NU + r
            W[wo + (NX + r) * (NXU + 1)] = c.wu[e]
            g[t * NXU + NX + r] = c.wu[e] * (u[e] - c.uref[e])


@njit(**OPTIONS)
def add_constraints(x: Array, c: Data, weight: Array, force: Array, W: Array, g: Array) -> None:
    """W += sum weight grad(h) grad(h)', g += sum force grad(h)."""
    count = c.radius.size
    G = stack_array(NG, NX)
    i = 0
    for t in range(HORIZON):
        for r in range(NU):
            W[(t * NXU + NX + r) * NXU + NX + r] += weight[i + r] + weight[i + NU + r]
            g[t * NXU + NX + r] += force[i + NU + r] - force[i + r]
        i += 2 * NU
        wo, go = (t + 1) * NXU * NXU, (t + 1) * NXU
        if NG > 0:
            inequality_jacobian(x, (t + 1) * NX, c.p, G)
            for s in range(NG):
                if weight[i + s] != 0.0 or force[i + s] != 0.0:
                    for r in range(NX):
                        g[go + r] += force[i + s] * G[s * NX + r]
                        for q in range(NX):
                            W[wo + r * NXU + q] += weight[i + s] * G[s * NX + r] * G[s * NX + q]
            i += NG
        if POSITION >= 0:
            add_spheres(x, t, c, weight, force, i, W, g)
            i += count


@njit(**OPTIONS)
def add_spheres(x: Array, t: int, c: Data, weight: Array, force: Array, i: int, W: Array, g: Array) -> None:
    """The spheres' part of `add_constraints` at knot t + 1."""
    t, i = index(t), index(i)
    a, go = (t + 1) * NX + POSITION, (t + 1) * NXU + POSITION
    xx = xy = xz = yy = yz = zz = gx = gy = gz = 0.0
    for s in range(c.radius.size):
        w, f = weight[i + s], force[i + s]
        if w != 0.0 or f != 0.0:
            o = t * c.stride + 3 * s
            nx = -2.0 * (x[a] - c.centers[o])
            ny = -2.0 * (x[a + 1] - c.centers[o + 1])
            nz = -2.0 * (x[a + 2] - c.centers[o + 2])
            gx += f * nx
            gy += f * ny
            gz += f * nz
            xx += w * nx * nx
            xy += w * nx * ny
            xz += w * nx * nz
            yy += w * ny * ny
            yz += w * ny * nz
            zz += w * nz * nz
    g[go] += gx
    g[go + 1] += gy
    g[go + 2] += gz
    o = (t + 1) * NXU * NXU + POSITION * NXU + POSITION
    W[o] += xx
    W[o + 1] += xy
    W[o + 2] += xz
    o += NXU
    W[o] += xy
    W[o + 1] += yy
    W[o + 2] += yz
    o += NXU
    W[o] += xz
    W[o + 1] += yz
    W[o + 2] += zz


@njit(**OPTIONS)
def sphere_curvature(c: Data, multipliers: Array, scale: float, W: Array) -> None:
    """W += scale times the spheres' curvature, -2 lambda I on the position."""
    count = c.radius.size
    i = 2 * NU + NG
    for t in range(HORIZON if POSITION >= 0 else 0):
        total = 0.0
        for s in range(count):
            total += multipliers[i + s]
        for r in range(POSITION, POSITION + 3):
            W[((t + 1) * NXU + r) * NXU + r] -= 2.0 * scale * total
        i += 2 * NU + NG + count


@njit(**OPTIONS)
def all_finite(values: Array) -> bool:
    """Whether no entry is NaN or infinite."""
    for e in range(values.size):
        if not math.isfinite(values[e]):
            return False
    return True


@njit(**OPTIONS)
def well_posed(x0: Array, c: Data) -> bool:
    """Whether every number of the problem is finite (limits may be infinite)."""
    for e in range(NU):
        if math.isnan(c.lo[e]) or math.isnan(c.hi[e]):
            return False
    return (
        all_finite(x0) and all_finite(c.ref) and all_finite(c.wx) and all_finite(c.wu) and all_finite(c.uref)
        and all_finite(c.centers) and all_finite(c.radius) and all_finite(c.p)
    )  # fmt: skip


@njit(**OPTIONS)
def ordered_limits(c: Data) -> bool:
    """Whether no lower control limit lies above its upper one."""
    for e in range(NU):
        if c.lo[e] > c.hi[e]:
            return False
    return True


@njit(**OPTIONS)
def start_violates(x0: Array, c: Data, tolerance: float) -> bool:
    """Whether the first state lies in a sphere of knot 1 or breaks an inequality of the robot by more than
    tolerance."""
    h = stack_array(NG)
    if NG > 0:
        inequality(x0, 0, c.p, h, 0)
        for s in range(NG):
            if h[s] > tolerance:
                return True
    if POSITION >= 0:
        for s in range(c.radius.size):
            ex = x0[POSITION] - c.centers[3 * s]
            ey = x0[POSITION + 1] - c.centers[3 * s + 1]
            ez = x0[POSITION + 2] - c.centers[3 * s + 2]
            if c.radius[s] * c.radius[s] - (ex * ex + ey * ey + ez * ez) > tolerance:
                return True
    return False


@njit(**OPTIONS)
def row(array: Array, b: int) -> Array:
    """Row b of (B, ...) data, or the only row of shared data (1, ...)."""
    return array[b] if array.shape[0] > 1 else array[0]
