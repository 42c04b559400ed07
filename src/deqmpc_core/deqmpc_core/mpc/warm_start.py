"""Cold starts and the shift of Section 4.2.3."""

import torch
from torch import Tensor

from deqmpc_core.systems.system import System
from deqmpc_core.types import SolverState


def cold_start(
    x0: Tensor, control: Tensor, spheres: int, horizon: int, penalty: float, inequalities: int = 0
) -> SolverState:
    """tau^0: x0 (B, n) at every knot, the reference control (m,), multipliers zero."""
    batch, n = x0.shape
    m = control.shape[-1]
    return SolverState(
        x=x0.detach().to(torch.float64)[:, None].repeat(1, horizon + 1, 1),
        u=control.to(torch.float64).expand(batch, horizon, m).clone(),
        dynamics=x0.new_zeros(batch, horizon, n, dtype=torch.float64),
        box=x0.new_zeros(batch, horizon, 2 * m, dtype=torch.float64),
        sphere=x0.new_zeros(batch, horizon, spheres, dtype=torch.float64),
        inequality=x0.new_zeros(batch, horizon, inequalities, dtype=torch.float64),
        penalty=x0.new_full((batch,), penalty, dtype=torch.float64),
    )


def shift(system: System, state: SolverState, x0: Tensor, knots: float, penalty: float) -> SolverState:
    """The state `knots` intervals on (fractions interpolate), last knot repeated, multipliers reset,
    penalty set.

    The plan is first moved to the branch (MRP, angles) of the measured x0 (B, n).
    """
    x = system.to_branch(state.x.detach(), x0.detach().to(state.x.dtype)[:, None].expand_as(state.x))
    x, u = _advance(x, knots), _advance(state.u.detach(), knots)
    zeros = [torch.zeros_like(v) for v in state[2:6]]
    return SolverState(x, u, *zeros, penalty=torch.full_like(state.penalty, penalty))


def _advance(values: Tensor, knots: float) -> Tensor:
    """values (B, L, w) read at index + knots, held at the end."""
    index = torch.arange(values.shape[1], dtype=torch.float64) + knots
    index = index.clamp(0.0, values.shape[1] - 1.0)
    low = index.floor().long()
    high = (low + 1).clamp_max(values.shape[1] - 1)
    fraction = (index - low).to(values)[None, :, None]
    return values[:, low] + fraction * (values[:, high] - values[:, low])
