"""How short numeric loops are compiled: kept on disk where a cache directory can be written, else in memory
only."""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """The function as a Numba kernel with numba.njit's options; compilation happens at its first call."""
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:
        return numba.njit(function, **options)
