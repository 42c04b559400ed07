"""A solve as autograd sees it: implicit differentiation at the last iterate (Eq. 12, or the exact
adjoint)."""

from typing import Any

import torch
from torch import Tensor

from deqmpc_core.mpc.gradients import FIELDS, gradients
from deqmpc_core.mpc.problem import Problem
from deqmpc_core.types import SolverState


class Implicit(torch.autograd.Function):
    """Gradients to every field of the problem but the control limits."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        backend: Any,
        options: tuple[bool, bool],
        state: SolverState,
        penalty: Tensor,
        *fields: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """x (B, T+1, n) and u (B, T, m) of the state. options: exact, barrier."""
        ctx.backend, ctx.options, ctx.state, ctx.penalty = backend, options, state, penalty
        ctx.problem = Problem(*(v.detach() for v in fields))
        return state.x.clone(), state.u.clone()

    @staticmethod
    def backward(ctx: Any, seed_x: Tensor, seed_u: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Solves the adjoint system once; the fields' gradients are products with its solution."""
        backend, problem, state = ctx.backend, ctx.problem, ctx.state
        sensitivity = backend.adjoint(problem, state, ctx.penalty, seed_x, seed_u, *ctx.options)
        needed = zip(Problem._fields, ctx.needs_input_grad[4:], strict=True)
        wanted = [name for name, needs in needed if needs and name in FIELDS]
        found = gradients(backend.system, backend.dt, backend.substeps, problem, state, sensitivity, wanted)
        return None, None, None, None, *(found.get(name) for name in Problem._fields)
