"""What the kernels know of one sample's problem, and of a block of them."""

from typing import NamedTuple

from numpy.typing import NDArray


class Data(NamedTuple):
    """Rows of the problem's arrays, flat: waypoints ref (T, n) with weights wx; control reference uref (T,
    m) with weights wu; limits lo, hi (m,); sphere centers (1|T, k, 3), `stride` apart from knot to knot,
    radius
    (k,); model parameters p; interval dt [s]."""

    ref: NDArray
    wx: NDArray
    wu: NDArray
    uref: NDArray
    lo: NDArray
    hi: NDArray
    centers: NDArray
    stride: int
    radius: NDArray
    p: NDArray
    dt: float


class Block(NamedTuple):
    """LANES samples: iterate x (KNOTS, n), u (T, m), slacks and multipliers s, lam (T, 2, m; below, above),
    eta (T, n), barrier tau (); data ref, wx (T, n), wu, uref (T, m), lo, hi (m), p; limited (2, m): 0 for
    an infinite limit, else 1; LANES numbers each."""

    x: NDArray
    u: NDArray
    s: NDArray
    lam: NDArray
    eta: NDArray
    tau: NDArray
    ref: NDArray
    wx: NDArray
    wu: NDArray
    uref: NDArray
    lo: NDArray
    hi: NDArray
    p: NDArray
    limited: NDArray


class BlockStep(NamedTuple):
    """A Newton step of LANES samples: defects d, step dx, du, ds, dlam, every limit's weight and force, and
    the end of a trial step x, u, s; LANES numbers each."""

    d: NDArray
    dx: NDArray
    du: NDArray
    ds: NDArray
    dlam: NDArray
    weight: NDArray
    force: NDArray
    x: NDArray
    u: NDArray
    s: NDArray


class BlockAdjoint(NamedTuple):
    """An adjoint of LANES samples: iterate x (KNOTS, n), u (T, m), weights wx (T, n), wu (T, m), parameters
    p, barrier tau (); limits' multipliers lam (T, 2, m), sx (KNOTS, n) and su (T, m), at first the seeds, and
    seta (T, n); LANES numbers each."""

    x: NDArray
    u: NDArray
    wx: NDArray
    wu: NDArray
    p: NDArray
    tau: NDArray
    lam: NDArray
    sx: NDArray
    su: NDArray
    seta: NDArray


class Samples(NamedTuple):
    """The arrays of a call, a row a sample: x0; x, u, eta, lam, status, info as the solver leaves them; data
    as in `Block`, one row where all samples share it."""

    x0: NDArray
    x: NDArray
    u: NDArray
    eta: NDArray
    lam: NDArray
    status: NDArray
    info: NDArray
    ref: NDArray
    wx: NDArray
    wu: NDArray
    uref: NDArray
    lo: NDArray
    hi: NDArray
    p: NDArray


class Lanes(NamedTuple):
    """What decides for the sample in each lane, (LANES): its number (-1: none) and status; Newton steps,
    damping, smallest pivot; the merit's infeasibility weight nu, value and slope; largest primal step
    (`reach`), trial's share of it (`scale`) and product of both (`length`), dual step; largest entry of
    (dx, du) and of the step taken before (`gone`), cost and violation of the iterate. parts (3, LANES),
    figures (5, LANES): see `block_model`.
    """

    sample: NDArray
    status: NDArray
    newton: NDArray
    damping: NDArray
    least: NDArray
    nu: NDArray
    merit: NDArray
    slope: NDArray
    reach: NDArray
    scale: NDArray
    length: NDArray
    dual: NDArray
    moved: NDArray
    gone: NDArray
    cost: NDArray
    violation: NDArray
    parts: NDArray
    figures: NDArray
