"""Evaluations of the fixed-point layer without autograd: arrays made once, few operations on them.

Shapes: B batch, T knots, h hidden. The functions of `layers`, to rounding; `single` is the one for B = 1.
"""

import torch
from torch import Tensor

from deqmpc_core.nets.layers import TAPS, FixedPointLayer, TemporalGroupNorm


class Evaluator:
    """d(., injection) for an injection (B, T, h); every call overwrites the arrays but returns a fresh
    tensor."""

    def __init__(self, cell: FixedPointLayer, injection: Tensor) -> None:
        self.cell, self.injection = cell, injection
        batch, knots, hidden = injection.shape
        padded = injection.new_zeros(batch, knots + 2, hidden)
        self._inner, width = padded[:, 1:-1], TAPS * hidden
        # A knot and its neighbours lie one behind the other.
        self._near = padded.as_strided((batch, knots, width), ((knots + 2) * hidden, hidden, 1))
        self._gathered = injection.new_empty(batch * knots, width)
        self._wide = injection.new_empty(batch * knots, cell.widen.weight.shape[0])
        self._parts = injection.new_empty(batch * knots, width)
        self._total, self._offset = torch.empty_like(injection), injection + cell.narrow.bias
        self._widen, self._narrow = cell.widen.columns(), cell.narrow.columns()
        shape = (batch, knots)
        self._wide_norm = _Norm(self._wide.unflatten(0, shape), cell.wide_norm)
        self._inner_norm, self._outer_norm = (
            _Norm(self._total, norm) for norm in (cell.inner_norm, cell.outer_norm)
        )
        parts = self._parts.view(batch, knots, TAPS, hidden)
        self._here, self._before, self._after = parts[:, :, 1], parts[:, 1:, 0], parts[:, :-1, 2]
        self._heads, self._tails = self._total[:, :-1], self._total[:, 1:]

    def __call__(self, z: Tensor, rows: Tensor | None = None) -> Tensor:
        """d(z) of z (A, T, h): of all samples in order, or of those in rows (A,)."""
        if rows is not None:
            return self.cell(z, self.injection[rows])
        total = self._total
        self._inner.copy_(z)
        self._gathered.view_as(self._near).copy_(self._near)
        torch.addmm(self.cell.widen.bias, self._gathered, self._widen, out=self._wide).relu_()
        self._wide_norm(self._wide_norm.grouped)
        torch.mm(self._wide, self._narrow, out=self._parts)
        torch.add(self._offset, self._here, out=total)
        self._heads.add_(self._before)
        self._tails.add_(self._after)
        self._inner_norm(self._inner_norm.grouped)
        total.add_(z).relu_()
        image = torch.empty_like(total)
        self._outer_norm(image.view_as(self._outer_norm.grouped))
        return image


class _Norm:
    """A group norm of an array x (B, T, c)."""

    def __init__(self, x: Tensor, norm: TemporalGroupNorm) -> None:
        self.grouped = x.view(*x.shape[:2], norm.groups, -1)
        self._source = self.grouped.transpose(1, 2)
        self._flat = torch.empty(self._source.shape, dtype=x.dtype, device=x.device)
        self._sizes = self._flat.shape[2:]
        self._weight, self._bias = (v.view(norm.groups, -1) for v in (norm.weight, norm.bias))

    def __call__(self, out: Tensor) -> None:
        """Write the norm of x as it is now into out (B, T, groups, c / groups)."""
        normal = torch.layer_norm(self._flat.copy_(self._source), self._sizes)
        torch.addcmul(self._bias, normal.transpose(1, 2), self._weight, out=out)
