"""Temporal layers over (B, T, channels): convolutions as matrix products, group norm as a layer norm.

At T = 5 a Conv1d and a GroupNorm spend most of their time on memory layout; these forms are two to four times
faster forwards and backwards, at B = 1 and at B = 200, and equal the torch modules to rounding.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from deqmpc_core.errors import ConfigError

TAPS = 3
GROUPS = 4
WIDENING = 4
# A start at which d contracts: median residual after 6 evaluations 0.004, with unit gains 0.1 (h = 64).
_FEEDBACK_GAIN = 0.25
_INJECTION_GAIN = 2.0


def _neighbours(x: Tensor) -> Tensor:
    """(B, T, c) -> (B, T, 3, c): each knot's predecessor, itself and its successor, zeros beyond the ends."""
    padded = functional.pad(x, (0, 0, 1, 1))
    return torch.stack((padded[:, :-2], x, padded[:, 2:]), 2)


def _overlap_add(y: Tensor) -> Tensor:
    """(B, T, 3, c) -> (B, T, c): y's parts sent to the predecessor, the knot and its successor, summed
    there."""
    total = y[:, :, 1].clone()
    total[:, :-1] += y[:, 1:, 0]
    total[:, 1:] += y[:, :-1, 2]
    return total


class _Neighbours(torch.autograd.Function):
    """_neighbours; its adjoint is _overlap_add (autograd's own would fill and add six padded tensors)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        return _neighbours(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return _overlap_add(grad)


class _OverlapAdd(torch.autograd.Function):
    """_overlap_add; its adjoint is _neighbours."""

    @staticmethod
    def forward(ctx: Any, y: Tensor) -> Tensor:  # type: ignore[override]
        return _overlap_add(y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return _neighbours(grad)


class TemporalConv(nn.Module):
    """Convolution over knots, kernel 3, zero padding: (B, T, inputs) -> (B, T, outputs).

    Widening layers gather each knot's neighbours and multiply once (weight (outputs, 3, inputs)); the others
    multiply once and add the products up at the neighbours (weight (3, outputs, inputs), to the predecessor
    first): each touches the least memory.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.gathers = outputs > inputs
        shape = (outputs, TAPS, inputs) if self.gathers else (TAPS, outputs, inputs)
        bound = 1.0 / math.sqrt(TAPS * inputs)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))
        self._columns: tuple[tuple[int, int], Tensor] | None = None

    def columns(self) -> Tensor:
        """The matrix that multiplies from the right, (3 inputs, outputs) of a layer that gathers and
        (inputs, 3 outputs) else."""
        return (self.weight.flatten(1) if self.gathers else self.weight.flatten(0, 1)).detach().t()

    def copied_columns(self) -> Tensor:
        """The columns one behind the other, which serves products of few rows; kept until the weights
        change."""
        if self.weight.is_inference():
            return self.columns().contiguous()
        key = self.weight.data_ptr(), self.weight._version
        if self._columns is None or self._columns[0] != key:
            with torch.inference_mode(False):
                self._columns = key, self.columns().contiguous()
        return self._columns[1]

    def kernel(self) -> Tensor:
        """The weights as torch.nn.Conv1d lays them out: (outputs, inputs, 3)."""
        return self.weight.permute(0, 2, 1) if self.gathers else self.weight.flip(0).permute(1, 2, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, outputs)."""
        tracked = torch.is_grad_enabled()
        if self.gathers:
            near = _Neighbours.apply(x) if tracked else _neighbours(x)
            return functional.linear(near.flatten(2), self.weight.flatten(1), self.bias)
        parts = functional.linear(x, self.weight.flatten(0, 1)).unflatten(-1, (TAPS, -1))
        return (_OverlapAdd.apply(parts) if tracked else _overlap_add(parts)) + self.bias


class TemporalGroupNorm(nn.Module):
    """GroupNorm with statistics over all knots and the channels of a group: (B, T, c) -> (B, T, c)."""

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        super().__init__()
        if channels % groups:
            raise ConfigError(f"hidden width must be a multiple of {groups} (group norm), got {channels}")
        self.groups = groups
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each sample's groups, then scale and shift each channel."""
        grouped = x.unflatten(-1, (self.groups, -1)).transpose(1, 2)
        flat = grouped.flatten(2)
        normal = functional.layer_norm(flat, flat.shape[-1:]).view(grouped.shape)
        return torch.addcmul(self.bias, normal.transpose(1, 2).flatten(2), self.weight)


class ConvBlock(nn.Module):
    """Conv1D-GroupNorm-ReLU of Appendix A.8, with a residual connection where the widths allow one."""

    def __init__(self, inputs: int, outputs: int, residual: bool = False) -> None:
        super().__init__()
        self.conv = TemporalConv(inputs, outputs)
        self.norm = TemporalGroupNorm(outputs)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, inputs) -> (B, T, outputs)."""
        y = functional.relu(self.norm(self.conv(x)))
        return x + y if self.residual else y


class NodeEncoder(nn.Module):
    """Linear-LayerNorm-ReLU on the last axis: (..., inputs) -> (..., outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Embed each knot on its own."""
        return functional.relu(self.norm(self.linear(x)))


class FixedPointLayer(nn.Module):
    """d(z, injection): (B, T, h) -> (B, T, h), bounded by its last group norm."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.widen = TemporalConv(hidden, WIDENING * hidden)
        self.wide_norm = TemporalGroupNorm(WIDENING * hidden)
        self.narrow = TemporalConv(WIDENING * hidden, hidden)
        self.inner_norm = TemporalGroupNorm(hidden)
        self.outer_norm = TemporalGroupNorm(hidden)
        with torch.no_grad():
            self.narrow.weight.mul_(_FEEDBACK_GAIN)
            self.inner_norm.weight.fill_(_INJECTION_GAIN)

    def forward(self, z: Tensor, injection: Tensor) -> Tensor:
        """One evaluation of d."""
        y = self.wide_norm(functional.relu(self.widen(z)))
        update = self.inner_norm(injection + self.narrow(y))
        return self.outer_norm(functional.relu(z + update))
