"""The two adjoint systems of a solve, in batched torch; the kernels' `adjoint` follows the same recipe."""

import torch
from torch import Tensor

from deqmpc_core.mpc.lagrangian import Inequalities, Lagrangian
from deqmpc_core.mpc.sweep import Quadratic, factorise, newton_step, substitute
from deqmpc_core.types import Sensitivity, SolverState

_HOLD = 1e5  # weight of an active inequality, in units of the Hessian of the Lagrangian
_REFINEMENTS = 4  # steps of the method of multipliers with the same factors


def gauss_newton_adjoint(
    model: Lagrangian, state: SolverState, penalty: Tensor, seed_x: Tensor, seed_u: Tensor
) -> Sensitivity:
    """Eq. 12: H = Q, R + mu k'k + mu G'G over the inequalities with a positive multiplier."""
    weights = Inequalities(*(penalty[:, None, None] * (v > 0) for v in _multipliers(state)))
    hx, hu = model.hessian(state.x, state.u, weights)
    _, jx, ju = model.linearise(state.x, state.u)
    zero = torch.zeros_like(seed_x[:, 1:])
    quadratic = Quadratic(-seed_x[:, 1:], hx, -seed_u, hu)
    sx, su = newton_step(quadratic, jx, ju, zero, zero, penalty, torch.zeros_like(penalty))
    before = torch.cat([torch.zeros_like(sx[:, :1]), sx[:, :-1]], 1)
    change = (jx @ before[..., None] + ju @ su[..., None])[..., 0] - sx
    adjoint = penalty[:, None, None] * change
    forces = _rates(model.normals(state.x), sx) * torch.cat(weights[1:], -1)
    x0 = seed_x[:, 0] - (jx[:, 0].mT @ adjoint[:, 0, :, None])[..., 0]
    return _checked(sx, su, adjoint, forces, x0, state.sphere.shape[-1])


def exact_adjoint(
    model: Lagrangian, state: SolverState, seed_x: Tensor, seed_u: Tensor, curved: bool,
    barrier: Tensor | None,
) -> Sensitivity:  # fmt: skip
    """The KKT system at the stored multipliers, the derivative of a converged solution.

    Hessian of the Lagrangian Q, R + sum eta_i d2F_i + sum lambda_i d2h_i; dynamics and active inequalities
    (multiplier > 0) hold to first order. A held control is taken out of the sweep; an active sphere or
    inequality is weighted and then held by the method of multipliers. barrier (B,), tau of an interior
    point with lambda s = tau: every inequality has the weight lambda^2 / tau instead, which is exact for the
    smoothed problem. A sample whose Hessian has a non-positive pivot, and every one without `curved`, leaves
    the curvature of dynamics and inequalities out; ok says that one of the two could be factorised.
    """
    plain = _kkt_solve(model, state, seed_x, seed_u, False, barrier)
    if not curved:
        return plain
    full = _kkt_solve(model, state, seed_x, seed_u, True, barrier)
    return Sensitivity(*(_chosen(full.ok, a, b) for a, b in zip(full, plain, strict=True)))


def _kkt_solve(
    model: Lagrangian, state: SolverState, seed_x: Tensor, seed_u: Tensor, curved: bool,
    barrier: Tensor | None,
) -> Sensitivity:  # fmt: skip
    x, u, m = state.x, state.u, state.u.shape[-1]
    normals, multipliers = model.normals(x), _multipliers(state)
    hx, hu, hux = _lagrangian_hessian(model, state, curved)
    _, jx, ju = model.linearise(x, u)
    if barrier is None:
        held = state.box > 0
        free = ~(held[..., :m] | held[..., m:])
        weight = _holding_weight(hx, normals, torch.cat(multipliers[1:], -1))
    else:
        free = torch.ones_like(u, dtype=torch.bool)
        smooth = Inequalities(*(v.square() / barrier[:, None, None] for v in multipliers))
        weight = torch.cat(smooth[1:], -1)
        hu = hu + torch.diag_embed(smooth.box[..., :m] + smooth.box[..., m:])
    factors = factorise(hx + normals.mT @ (weight[..., None] * normals), hu, hux, jx, ju, free)
    forces = torch.zeros_like(weight)
    for _ in range(1 + (_REFINEMENTS if barrier is None and weight.shape[-1] else 0)):
        gx = (normals.mT @ forces[..., None])[..., 0] - seed_x[:, 1:]
        sx, su, adjoint = substitute(factors, gx, -seed_u)
        forces = forces + weight * _rates(normals, sx)
    coupled = jx[:, 0].mT @ adjoint[:, 0, :, None] + hux[:, 0].mT @ su[:, 0, :, None]
    x0 = seed_x[:, 0] - coupled[..., 0]
    return _checked(sx, su, adjoint, forces, x0, state.sphere.shape[-1])


def _lagrangian_hessian(model: Lagrangian, state: SolverState, curved: bool) -> tuple[Tensor, Tensor, Tensor]:
    """hx (B, T, n, n) of knots 1..T, hu (B, T, m, m) and hux (B, T, m, n), which couples u_t with x_t."""
    n, multipliers = state.x.shape[-1], _multipliers(state)
    none = Inequalities(*(torch.zeros_like(v) for v in multipliers))
    hx, hu = model.hessian(state.x, state.u, none)
    if not curved:
        return hx, hu, hu.new_zeros(*hu.shape[:-1], n)
    bend = model.curvature(state.x, state.u, state.dynamics)
    hx = hx + model.inequality_curvature(state.x, multipliers)
    hx[:, :-1] += bend[:, 1:, :n, :n]
    return hx, hu + bend[..., n:, n:], bend[..., n:, :n]


def _holding_weight(hx: Tensor, normals: Tensor, multipliers: Tensor) -> Tensor:
    """rho (B, T, k+g): `_HOLD` times the Hessian's largest diagonal over the normal's square; 0 where not
    active."""
    scale = torch.diagonal(hx, dim1=-2, dim2=-1).abs().amax((1, 2))[:, None, None]
    square = normals.square().sum(-1).clamp_min(torch.finfo(hx.dtype).tiny)
    return torch.where(multipliers > 0, _HOLD * scale / square, 0.0)


def _rates(normals: Tensor, sx: Tensor) -> Tensor:
    """h_x s (B, T, k+g)."""
    return (normals @ sx[..., None])[..., 0]


def _multipliers(state: SolverState) -> Inequalities:
    return Inequalities(state.box, state.sphere, state.inequality)


def _checked(
    sx: Tensor, su: Tensor, adjoint: Tensor, forces: Tensor, x0: Tensor, spheres: int
) -> Sensitivity:
    """The sensitivity, zero for samples whose system could not be factorised."""
    parts = (sx, su, adjoint, forces[..., :spheres], forces[..., spheres:], x0)
    ok = torch.stack([v.isfinite().flatten(1).all(1) for v in parts]).all(0)
    return Sensitivity(*[_chosen(ok, v, torch.zeros_like(v)) for v in parts], ok=ok)


def _chosen(mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Rows of a where mask (B,), else of b."""
    return torch.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b)
