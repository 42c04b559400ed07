"""Riccati sweeps in batched torch: with penalised dynamics for Algorithm 1, with hard dynamics for the exact
adjoint. The kernels' `riccati` has the same recursions."""

from typing import NamedTuple

import torch
from torch import Tensor


class Quadratic(NamedTuple):
    """Model of cost, box and spheres: gx (B, T, n), hx (B, T, n, n) for knots 1..T; gu (B, T, m), hu (B, T,
    m, m)."""

    gx: Tensor
    hx: Tensor
    gu: Tensor
    hu: Tensor


def newton_step(
    quadratic: Quadratic, jx: Tensor, ju: Tensor, defect: Tensor, eta: Tensor, mu: Tensor, damping: Tensor
) -> tuple[Tensor, Tensor]:
    """dx (B, T, n) of knots 1..T and du (B, T, m) that minimise the quadratic plus the dynamics' terms.

    sum_t eta' y_t + mu/2 |y_t|^2 with y_t = A dx_t + B du_t + d_t - dx_{t+1}, dx_0 = 0. Minimising over
    dx_{t+1} first gives the Moreau envelope of the cost to go, P~ = mu (P + mu I)^-1 P, then an ordinary
    Riccati step.
    """
    batch, horizon, n = quadratic.gx.shape
    eye_x, eye_u = (torch.eye(k, dtype=jx.dtype, device=jx.device) for k in (n, quadratic.gu.shape[-1]))
    shift_x, shift_u = damping[:, None, None] * eye_x, damping[:, None, None] * eye_u
    mu_ = mu[:, None, None]
    P, p = jx.new_zeros(batch, n, n), jx.new_zeros(batch, n)
    gains, offsets, factors, gradients = [], [], [], []
    for t in reversed(range(horizon)):
        P = P + quadratic.hx[:, t] + shift_x
        p = p + quadratic.gx[:, t]
        factor = _cholesky(P + mu_ * eye_x)
        factors.append(factor)
        gradients.append(p)
        envelope = mu_ * torch.cholesky_solve(P, factor)
        envelope = 0.5 * (envelope + envelope.mT)
        right = _times(P, eta[:, t]) + mu[:, None] * p
        gradient = _times(envelope, defect[:, t]) + torch.cholesky_solve(right[..., None], factor)[..., 0]
        A, B = jx[:, t], ju[:, t]
        Quu = B.mT @ envelope @ B + quadratic.hu[:, t] + shift_u
        Qux = B.mT @ envelope @ A
        small = _cholesky(Quu)
        gain = -torch.cholesky_solve(Qux, small)
        offset = -torch.cholesky_solve((_times(B.mT, gradient) + quadratic.gu[:, t])[..., None], small)[
            ..., 0
        ]
        gains.append(gain)
        offsets.append(offset)
        p = _times(A.mT, gradient) + _times(Qux.mT, offset)
        P = A.mT @ envelope @ A + Qux.mT @ gain
        P = 0.5 * (P + P.mT)
    step, dx, du = jx.new_zeros(batch, n), [], []
    for t in range(horizon):
        i = horizon - 1 - t
        control = offsets[i] + _times(gains[i], step)
        y = _times(jx[:, t], step) + _times(ju[:, t], control) + defect[:, t]
        right = mu[:, None] * y + eta[:, t] - gradients[i]
        step = torch.cholesky_solve(right[..., None], factors[i])[..., 0]
        dx.append(step)
        du.append(control)
    return torch.stack(dx, 1), torch.stack(du, 1)


class Factors(NamedTuple):
    """Factorised quadratic with hard dynamics, per interval t = 0..T-1: Jacobians jx, ju (B, T, ·, ·), value
    Hessians P of knot t+1, Cholesky factors of Quu, gains K, Qux, and which controls are free (B, T, m)."""

    jx: Tensor
    ju: Tensor
    value: Tensor
    small: Tensor
    gain: Tensor
    cross: Tensor
    free: Tensor


def factorise(hx: Tensor, hu: Tensor, hux: Tensor, jx: Tensor, ju: Tensor, free: Tensor) -> Factors:
    """Riccati recursion of min 1/2 s'W s subject to s_{t+1} = A s_t + B s_u,t, s_0 = 0, s_u = 0 where not
    free.

    hx (B, T, n, n) of knots 1..T, hu (B, T, m, m), hux (B, T, m, n) couples u_t with x_t. NaN for a sample
    with a non-positive pivot.
    """
    P, rows = torch.zeros_like(hx[:, 0]), []
    for t in reversed(range(hx.shape[1])):
        A, B, open_ = jx[:, t], ju[:, t], free[:, t]
        P = P + hx[:, t]
        both = open_[:, :, None] & open_[:, None, :]
        Quu = torch.where(both, B.mT @ P @ B + hu[:, t], 0.0) + torch.diag_embed((~open_).to(hx))
        Qux = torch.where(open_[:, :, None], B.mT @ P @ A + hux[:, t], 0.0)
        small = _cholesky(Quu)
        gain = -torch.cholesky_solve(Qux, small)
        rows.append((P, small, gain, Qux))
        P = A.mT @ P @ A + Qux.mT @ gain
        P = 0.5 * (P + P.mT)
    value, small, gain, cross = (torch.stack(v, 1) for v in zip(*reversed(rows), strict=True))
    return Factors(jx, ju, value, small, gain, cross, free)


def substitute(factors: Factors, gx: Tensor, gu: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """s (B, T, n) of knots 1..T, s_u (B, T, m) and the dynamics' multiplier (B, T, n) for linear terms gx and
    gu."""
    jx, ju, value, small, gain, cross, free = factors
    p, offsets, gradients = torch.zeros_like(gx[:, 0]), [], []
    for t in reversed(range(gx.shape[1])):
        p = p + gx[:, t]
        gradients.append(p)
        force = torch.where(free[:, t], gu[:, t] + _times(ju[:, t].mT, p), 0.0)
        offset = -torch.cholesky_solve(force[..., None], small[:, t])[..., 0]
        offsets.append(offset)
        p = _times(jx[:, t].mT, p) + _times(cross[:, t].mT, offset)
    step, states, controls = torch.zeros_like(p), [], []
    for t, offset in enumerate(reversed(offsets)):
        control = offset + _times(gain[:, t], step)
        step = _times(jx[:, t], step) + _times(ju[:, t], control)
        controls.append(control)
        states.append(step)
    sx = torch.stack(states, 1)
    multiplier = (value @ sx[..., None])[..., 0] + torch.stack(gradients[::-1], 1)
    return sx, torch.stack(controls, 1), multiplier


def _times(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector[..., None])[..., 0]


def _cholesky(matrix: Tensor) -> Tensor:
    """Lower factor; NaN for a sample whose matrix is not positive definite, so that only that sample is
    refused."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    return torch.where(failed[:, None, None] > 0, torch.full_like(factor, torch.nan), factor)
