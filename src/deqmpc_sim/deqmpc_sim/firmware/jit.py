"""How the 500 Hz maths is compiled: cached on disk where a cache directory can be written, else in memory
only.
"""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a Numba kernel; compilation happens at its first call."""
    try:
        return numba.njit(function, cache=True)
    except RuntimeError:
        return numba.njit(function)
