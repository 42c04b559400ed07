"""What a plan leaves of its constraints, told one kind from the other."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.mpc.tracking import TrackingSolver
from deqmpc_core.types import Spheres


class Residuals(NamedTuple):
    """Largest violation of each kind, each (B,): dynamics |f(x_t, u_t) - x_{t+1}| in the state's units,
    control limits in the controls' [N], spheres r^2 - |p - c|^2 [m^2] with the solver's margin."""

    dynamics: Tensor
    limits: Tensor
    spheres: Tensor


def residuals(
    solver: TrackingSolver,
    x: Tensor,
    u: Tensor,
    spheres: Spheres | None = None,
    limits: tuple[Tensor, Tensor] | None = None,
) -> Residuals | None:
    """Of a plan x (B, T+1, n), u (B, T, m); None where the solver is not an augmented Lagrangian.

    One multiplier update (Algorithm 1) without a Newton step at penalty 1 turns zero multipliers into the
    violations themselves.
    """
    if solver.method != "augmented_lagrangian":
        return None
    problem = solver.problem(x[:, 0], x[:, 1:], spheres, limits=limits)
    start = solver.initial_state(x[:, 0], 1, spheres)
    start = start._replace(x=x, u=u, penalty=torch.ones_like(start.penalty))
    once = replace(solver.schedule, iterations=1, newton_steps=0, tolerance=0.0)
    state, _, _ = solver.backend.solve(problem, start, once)
    return Residuals(*(_largest(v) for v in (state.dynamics, state.box, state.sphere)))


def _largest(values: Tensor) -> Tensor:
    """Of the magnitudes in values (B, T, w), per sample; 0 where there are none."""
    flat = values.abs().flatten(1)
    return flat.amax(1) if flat.shape[1] else flat.new_zeros(flat.shape[0])
