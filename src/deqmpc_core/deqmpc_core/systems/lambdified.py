"""Symbolic matrices as torch functions."""

from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch import Tensor

Symbols = Sequence[sympy.Symbol]


class SparseMatrix:
    """A symbolic matrix as a torch function that computes its non-zero entries alone."""

    def __init__(self, arguments: Sequence[Symbols], matrix: Any) -> None:
        places = [(r, c) for r in range(matrix.rows) for c in range(matrix.cols) if matrix[r, c] != 0]
        self._shape, self._rows, self._columns = matrix.shape, [r for r, _ in places], [c for _, c in places]
        entries = [matrix[r, c] for r, c in places]
        self._function = sympy.lambdify(list(arguments), entries, modules="torch", cse=True)

    def __call__(self, like: Tensor, *arguments: Sequence[Tensor]) -> Tensor:
        """The matrix (..., rows, columns) with like's batch shape (...)."""
        out = like.new_zeros(*like.shape[:-1], *self._shape)
        if self._rows:
            out[..., self._rows, self._columns] = stacked(self._function(*arguments), like)
        return out


def weighted_hessian(arguments: Sequence[Symbols], z: Symbols, jacobian: sympy.Matrix) -> SparseMatrix:
    """sum_i weight_i d2e_i / dz dz of (*arguments, weight), from the Jacobian of e to z."""
    weight = sympy.symbols(f"w0:{jacobian.rows}", real=True)
    gradient = (sympy.Matrix([weight]) * jacobian).T
    matrix = sympy.zeros(len(z), len(z))
    for r in range(len(z)):
        for c in range(r + 1):
            matrix[r, c] = matrix[c, r] = sympy.diff(gradient[r], z[c])
    return SparseMatrix((*arguments, weight), matrix)


def stacked(rows: Sequence[Any], like: Tensor) -> Tensor:
    """Rows (tensors or numbers) as one tensor (..., len(rows)) of like's batch shape."""
    tensors = [r if isinstance(r, Tensor) else like.new_tensor(float(r)) for r in rows]
    return torch.stack(torch.broadcast_tensors(like[..., 0], *tensors)[1:], -1)
