"""From the adjoint's solution to gradients of the problem's data; both backends share it.

With the Lagrangian L(z, eta, lambda; phi), s the adjoint's primal part and s_eta, s_lambda its multipliers,
a loss has the gradient -(s' d(grad_z L)/d phi + s_eta' dF/d phi + s_lambda' dh/d phi) to a datum phi. Under
Eq. 12, s_eta = mu k_z s and s_lambda = mu h_z s give the same expression.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.mpc.lagrangian import named_parameters
from deqmpc_core.mpc.problem import Problem
from deqmpc_core.systems.system import System
from deqmpc_core.types import Sensitivity, SolverState

FIELDS = (
    "x0", "reference", "state_weight", "control_weight", "control_reference", "centers", "radius",
    "parameters",
)  # fmt: skip


def gradients(
    system: System, dt: float, substeps: int, problem: Problem, state: SolverState,
    sensitivity: Sensitivity, fields: Collection[str] = FIELDS,
) -> dict[str, Tensor]:  # fmt: skip
    """Gradients of a loss to the named fields of the problem, each of its field's shape.

    A field shared by samples or knots gets their sum; a sample whose adjoint failed (not ok) adds zero.
    Raises UnknownNameError for a field that has no gradient here.
    """
    found = {}
    for name in fields:
        if name == "parameters":
            value = _parameters(system, dt, substeps, problem, state, sensitivity)
        else:
            value = _field(name, system, problem, state, sensitivity)
        ok = sensitivity.ok.reshape(-1, *[1] * (value.ndim - 1))
        found[name] = torch.where(ok, value, 0.0).sum_to_size(getattr(problem, name).shape)
    return found


def _field(name: str, system: System, problem: Problem, state: SolverState, s: Sensitivity) -> Tensor:
    """Gradient of one field, before the sum over samples and knots that share it."""
    match name:
        case "x0":
            return s.x0
        case "reference":
            return problem.state_weight * s.x
        case "state_weight":
            return -s.x * (state.x[:, 1:] - problem.reference)
        case "control_weight":
            return -s.u * (state.u - problem.control_reference)
        case "control_reference":
            return problem.control_weight * s.u
        case "radius":
            return -2.0 * problem.radius * s.sphere.sum(1)
        case "centers":
            return _centers(system, problem, state, s)
    raise UnknownNameError("differentiable field", name, FIELDS)


def _centers(system: System, problem: Problem, state: SolverState, s: Sensitivity) -> Tensor:
    """-(2 lambda s_p + 2 s_lambda (p - c)), (B, T, k, 3), as h = r^2 - |p - c|^2."""
    if system.position is None:
        return s.x.new_zeros(*s.sphere.shape, 3)
    place = slice(system.position, system.position + 3)
    offsets = state.x[:, 1:, None, place] - problem.centers
    return -2.0 * (state.sphere[..., None] * s.x[:, :, None, place] + s.sphere[..., None] * offsets)


def _parameters(
    system: System, dt: float, substeps: int, problem: Problem, state: SolverState, s: Sensitivity
) -> Tensor:
    """-d/dp of eta' F_z s + s_eta' F + lambda' h_x s + s_lambda' h, (B, P)."""
    batch, x, u = state.x.shape[0], state.x[:, :-1], state.u
    before = torch.cat([torch.zeros_like(s.x[:, :1]), s.x[:, :-1]], 1)
    with torch.enable_grad():
        leaf = problem.parameters.detach().expand(batch, -1).clone().requires_grad_()
        named = named_parameters(system, leaf)
        successor, jx, ju = system.rk4_jacobian(x, u, dt, substeps, named)
        moved = (jx @ before[..., None] + ju @ s.u[..., None])[..., 0]
        total = (state.dynamics * moved + s.dynamics * successor).sum()
        if system.inequalities is not None:
            value = system.inequality(state.x[:, 1:], named)
            moved = (system.inequality_jacobian(state.x[:, 1:], named) @ s.x[..., None])[..., 0]
            total = total + (state.inequality * moved + s.inequality * value).sum()
        return -torch.autograd.grad(total, leaf)[0]
