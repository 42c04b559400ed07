"""The fixed point of one sample without autograd: torch multiplies, compiled loops do the rest.

At B = 1 a call of torch costs more than its arithmetic; here an evaluation of d is two products and a few
calls. The search of `anderson` with the layer of `layers`, to rounding. Shapes: T knots, h hidden.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.nets import loops
from deqmpc_core.nets.anderson import AndersonConfig, FixedPoint
from deqmpc_core.nets.layers import TAPS, FixedPointLayer, TemporalGroupNorm


def suits(z: Tensor) -> bool:
    """Whether z (B, T, h) is a lone sample on the CPU and no gradient is asked for."""
    plain = z.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return z.shape[0] == 1 and z.device.type == "cpu" and plain and not torch.is_grad_enabled()


class SingleSearch:
    """d(., injection) and its fixed point, injection (1, T, h)."""

    def __init__(self, cell: FixedPointLayer, injection: Tensor) -> None:
        _, knots, hidden = injection.shape
        self._widen, self._narrow = cell.widen.copied_columns(), cell.narrow.copied_columns()
        self._near = injection.new_zeros(knots, TAPS * hidden)
        self._wide = injection.new_empty(knots, self._widen.shape[1])
        self._parts = injection.new_empty(knots, TAPS * hidden)
        near, wide, parts = (x.numpy() for x in (self._near, self._wide, self._parts))
        self._image = np.empty((knots, hidden), near.dtype)
        offset = (injection[0] + cell.narrow.bias).numpy()
        groups = cell.wide_norm.groups
        self._bend = (wide, _plain(cell.widen.bias), groups, *_scales(cell.wide_norm))
        self._ends = (groups, *_scales(cell.inner_norm), *_scales(cell.outer_norm), self._image)
        self._gathered, self._summed = near, (parts, offset)

    def solve(self, start: Tensor, config: AndersonConfig) -> FixedPoint:
        """Anderson's search from start (1, T, h)."""
        z, turn = start[0].numpy().copy(), 0
        memory = loops.new_memory(z, min(config.memory, config.evaluations))
        for turn in range(config.evaluations):
            self._evaluate(z)
            if not loops.record(turn, self._image, z, memory, config.beta) >= config.tolerance:
                break
            loops.mix(turn, memory, config.damping, z)
        residual = torch.from_numpy(memory.residual).to(start.dtype)
        return FixedPoint(torch.from_numpy(memory.best)[None], residual, torch.tensor([turn + 1]))

    def iterate(self, z: Tensor, times: int) -> Tensor:
        """d applied to z (1, T, h) so many times."""
        state = z[0].numpy().copy()
        for _ in range(times):
            self._evaluate(state)
            state[:] = self._image
        return torch.from_numpy(state)[None]

    def _evaluate(self, z: np.ndarray[Any, Any]) -> None:
        """The image of z (T, h)."""
        loops.gather(z, self._gathered)
        torch.mm(self._near, self._widen, out=self._wide)
        loops.bend(*self._bend)
        torch.mm(self._wide, self._narrow, out=self._parts)
        loops.close(*self._summed, z, *self._ends)


def _scales(norm: TemporalGroupNorm) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return _plain(norm.weight), _plain(norm.bias)


def _plain(values: Tensor) -> np.ndarray[Any, Any]:
    return values.detach().numpy()
