"""Cold starts and the shift of Section 4.2.3."""

import torch
from torch import Tensor

from deqmpc_core.systems.system import System
from deqmpc_core.types import SolverState


def cold_start(
    x0: Tensor, control: Tensor, spheres: int, horizon: int, penalty: float, inequalities: int = 0
) -> SolverState:
    """tau^0: x0 (B, n) at every knot, a control that expands to (B, T, m), multipliers zero; x0's dtype and
    device."""
    batch, m = x0.shape[0], control.shape[-1]
    widths = (x0.shape[1], 2 * m, spheres, inequalities)
    return SolverState(
        x0.detach()[:, None].repeat(1, horizon + 1, 1),
        control.detach().to(x0).expand(batch, horizon, m).clone(),
        *(x0.new_zeros(batch, horizon, width) for width in widths),
        penalty=x0.new_full((batch,), penalty),
    )


def shift(system: System, state: SolverState, x0: Tensor, knots: float, penalty: float) -> SolverState:
    """The state `knots` intervals on (fractions interpolate), last knot repeated, multipliers reset,
    penalty set.

    The plan is first moved to the branch (MRP, angles) of the measured x0 (B, n).
    """
    x = system.to_branch(state.x.detach(), x0.detach().to(state.x.dtype)[:, None].expand_as(state.x))
    x, u = advance(x, knots), advance(state.u.detach(), knots)
    zeros = [torch.zeros_like(v) for v in state[2:6]]
    return SolverState(x, u, *zeros, penalty=torch.full_like(state.penalty, penalty))


def advance(values: Tensor, knots: float) -> Tensor:
    """values (B, L, w) read at index + knots, held at the end."""
    index = torch.arange(values.shape[1], dtype=torch.float64) + knots
    index = index.clamp(0.0, values.shape[1] - 1.0)
    low = index.floor().long()
    high = (low + 1).clamp_max(values.shape[1] - 1)
    fraction = (index - low).to(values)[None, :, None]
    return values[:, low] + fraction * (values[:, high] - values[:, low])
