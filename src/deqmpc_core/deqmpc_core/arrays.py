"""Plain arrays from .npz files that somebody else wrote."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import DataError


def read_arrays(file: str | Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of numbers in a file.

    Raises DataError for a file that is no .npz of plain arrays, and for an array that is missing or holds
    something else.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            found = {name: np.asarray(stored[name]) for name in names if name in stored}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, TypeError, AttributeError) as error:
        raise DataError(f"cannot read '{file}': {error}; expected an .npz file of plain arrays") from error
    for name in names:
        if name not in found or found[name].dtype.kind not in "fiu":
            raise DataError(f"'{file}': array '{name}' is missing or holds no numbers; found {sorted(found)}")
    return found
