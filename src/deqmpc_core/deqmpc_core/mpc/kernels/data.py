"""What the kernels know of one sample's problem."""

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
