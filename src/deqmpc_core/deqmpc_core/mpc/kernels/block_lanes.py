"""Kernel source: room for LANES samples, and the way of a sample into its lane and out of it."""

import numpy as np
from numba import njit

from deqmpc_core.mpc.kernels.sizes import LANES, Array

OPTIONS: dict = {}

# --- kernel ---


@njit(**OPTIONS)
def room(numbers: int) -> Array:
    """`numbers` zeros a lane, where a vector does not straddle two cache lines."""
    values = np.zeros((numbers + 1) * LANES)
    skipped = (64 - values.ctypes.data % 64) % 64 // 8
    return values[skipped : skipped + numbers * LANES]


@njit(**OPTIONS)
def put(values: Array, lane: int, block: Array) -> None:
    """A sample's numbers into its lane."""
    for e in range(values.size):
        block[e * LANES + lane] = values[e]


@njit(**OPTIONS)
def take(block: Array, lane: int, values: Array) -> None:
    """A sample's numbers out of its lane."""
    for e in range(values.size):
        values[e] = block[e * LANES + lane]


@njit(**OPTIONS)
def row(values: Array, i: int) -> Array:
    """Row i, or the only one there is."""
    return values[i] if values.shape[0] > 1 else values[0]
