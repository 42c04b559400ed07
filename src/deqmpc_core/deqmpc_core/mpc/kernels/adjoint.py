"""Kernel source: the Gauss-Newton adjoint of Eq. 12 for a range of samples."""

from numba import njit

from deqmpc_core.mpc.kernels.augmented_lagrangian import row
from deqmpc_core.mpc.kernels.integrator import linearise
from deqmpc_core.mpc.kernels.riccati import backward, forward
from deqmpc_core.mpc.kernels.sizes import HORIZON, NU, NX, NXU, POSITION, Array
from deqmpc_core.mpc.kernels.stack import stack_array

OPTIONS: dict = {}
NOGIL = True

# --- kernel ---


@njit(**OPTIONS)
def adjoint_sample(
    x: Array, u: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi: Array,
    centers: Array, knot_stride: int, radius: Array, count: int, p: Array, dt: float,
    box: Array, sphere: Array, mu: float, seed_x: Array, seed_u: Array, sx: Array, su: Array, gx0: Array,
) -> bool:  # fmt: skip
    """Eq. 12: solve H s = seed at the last iterate with its penalty; gx0 gets the gradient to x_0.

    box and sphere are the multipliers after the dual update, so that the active set is multiplier > 0.
    """
    f = stack_array(HORIZON, NX)
    zero = stack_array(HORIZON, NX)
    J = stack_array(HORIZON, NX, NXU)
    gx = stack_array(HORIZON, NX)
    hx = stack_array(HORIZON, NX)
    block = stack_array(HORIZON, 6)
    gu = stack_array(HORIZON, NU)
    hu = stack_array(HORIZON, NU)
    K = stack_array(HORIZON, NU, NX)
    kff = stack_array(HORIZON, NU)
    factors = stack_array(HORIZON, NX, NX)
    gradients = stack_array(HORIZON, NX)
    linearise(x, u, p, dt, f, J)
    active_hessian(x, wx, wu, centers, knot_stride, count, box, sphere, mu, hx, block, hu)
    for e in range(HORIZON * NX):
        gx[e] = -seed_x[NX + e]
        zero[e] = 0.0
    for e in range(HORIZON * NU):
        gu[e] = -seed_u[e]
    if not backward(J, zero, zero, mu, gx, hx, block, gu, hu, 0.0, K, kff, factors, gradients):
        return False
    forward(J, zero, zero, mu, K, kff, factors, gradients, sx, su)
    for c in range(NX):
        gx0[c] = seed_x[c]
    for r in range(NX):
        change = -sx[NX + r]
        for c in range(NU):
            change += J[r * NXU + NX + c] * su[c]
        for c in range(NX):
            gx0[c] -= mu * J[r * NXU + c] * change
    return True


@njit(**OPTIONS)
def active_hessian(
    x: Array, wx: Array, wu: Array, centers: Array, knot_stride: int, count: int,
    box: Array, sphere: Array, mu: float, hx: Array, block: Array, hu: Array,
) -> None:  # fmt: skip
    """Q + mu G'G over the constraints whose multiplier is positive."""
    for e in range(HORIZON * NX):
        hx[e] = wx[e]
    for t in range(HORIZON):
        for r in range(NU):
            i = t * 2 * NU + r
            hu[t * NU + r] = wu[t * NU + r] + mu * ((box[i] > 0.0) + (box[i + NU] > 0.0))
        for r in range(6):
            block[t * 6 + r] = 0.0
        for s in range(count):
            if sphere[t * count + s] > 0.0:
                a = (t + 1) * NX + POSITION
                c = t * knot_stride + 3 * s
                nx = x[a] - centers[c]
                ny = x[a + 1] - centers[c + 1]
                nz = x[a + 2] - centers[c + 2]
                block[t * 6] += 4.0 * mu * nx * nx
                block[t * 6 + 1] += 4.0 * mu * nx * ny
                block[t * 6 + 2] += 4.0 * mu * nx * nz
                block[t * 6 + 3] += 4.0 * mu * ny * ny
                block[t * 6 + 4] += 4.0 * mu * ny * nz
                block[t * 6 + 5] += 4.0 * mu * nz * nz


ADJOINT = (
    "void(int64,int64,{m},{m},{m},{m},{m},{m},{m},{m},{m},int64,{m},{m},float64,{m},{m},{v},{m},{m},"
    "{m},{m},{m},boolean[::1])"
).format(m="float64[:,::1]", v="float64[::1]")


@njit(ADJOINT, nogil=NOGIL, **OPTIONS)
def adjoint_range(
    first: int, last: int, x: Array, u: Array, ref: Array, wx: Array, wu: Array, uref: Array, lo: Array, hi:
    Array,
    centers: Array, knot_stride: int, radius: Array, p: Array, dt: float,
    box: Array, sphere: Array, penalty: Array, seed_x: Array, seed_u: Array,
    sx: Array, su: Array, gx0: Array, ok: Array,
) -> None:  # fmt: skip
    """`adjoint_sample` for samples first..last-1."""
    count = radius.shape[1]
    for b in range(first, last):
        ok[b] = adjoint_sample(
            x[b], u[b], row(ref, b), row(wx, b), row(wu, b), row(uref, b), row(lo, b), row(hi, b),
            row(centers, b), knot_stride, row(radius, b), count, row(p, b), dt,
            box[b], sphere[b], penalty[b], seed_x[b], seed_u[b], sx[b], su[b], gx0[b],
        )  # fmt: skip
