"""The augmented Lagrangian of the tracking problem (Eq. 11) in batched torch: values and derivatives.

Constraints: dynamics k_t = F(x_t, u_t) - x_{t+1} = 0 (multiplier eta); control box, spheres r^2 - |p - c|^2
and the robot's own inequalities h <= 0 (multiplier lambda), in the shifted form
(max(0, lambda + mu h)^2 - lambda^2) / (2 mu).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.mpc.problem import Problem
from deqmpc_core.systems.system import System


class Inequalities(NamedTuple):
    """One number per inequality: box (B, T, 2m; lower then upper), sphere (B, T, k), inequality (B, T, g)."""

    box: Tensor
    sphere: Tensor
    inequality: Tensor

    def joined(self) -> Tensor:
        """All of them, (B, T, 2m + k + g)."""
        return torch.cat(list(self), -1)


@dataclass
class Multipliers:
    """eta (B, T, n), lambda of the three kinds of inequalities, and mu (B,)."""

    dynamics: Tensor
    box: Tensor
    sphere: Tensor
    inequality: Tensor
    penalty: Tensor

    @property
    def inequalities(self) -> Inequalities:
        """lambda."""
        return Inequalities(self.box, self.sphere, self.inequality)


class Lagrangian:
    """Cost and constraints of a problem on its robot; x (B, T+1, n), u (B, T, m)."""

    def __init__(self, system: System, dt: float, substeps: int, problem: Problem) -> None:
        self.system, self.problem, self._dt, self._substeps = system, problem, dt, substeps
        self._parameters = named_parameters(system, problem.parameters)
        start = system.position or 0
        self.place = slice(start, start + 3)

    def step(self, x: Tensor, u: Tensor) -> Tensor:
        """Successors F(x_t, u_t) (B, T, n)."""
        return self.system.rk4(x[:, :-1], u, self._dt, self._substeps, self._parameters)

    def linearise(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Successors (B, T, n) and their Jacobians (B, T, n, n), (B, T, n, m)."""
        return self.system.rk4_jacobian(x[:, :-1], u, self._dt, self._substeps, self._parameters)

    def curvature(self, x: Tensor, u: Tensor, weight: Tensor) -> Tensor:
        """sum_i weight_i d2F_i (B, T, n+m, n+m) over (x_t, u_t), weight (B, T, n)."""
        return self.system.rk4_curvature(x[:, :-1], u, weight, self._dt, self._substeps, self._parameters)

    def inequality_curvature(self, x: Tensor, weights: Inequalities) -> Tensor:
        """sum_i weight_i d2h_i (B, T, n, n) of knots 1..T; a sphere's is -2 I on the position."""
        out = self.system.inequality_curvature(x[:, 1:], weights.inequality, self._parameters)
        if weights.sphere.shape[-1]:
            diagonal = torch.diagonal(out, dim1=-2, dim2=-1)
            diagonal[..., self.place] -= 2.0 * weights.sphere.sum(-1, keepdim=True)
        return out

    def offsets(self, x: Tensor) -> Tensor:
        """Position minus centre (B, T, k, 3) of knots 1..T."""
        if self.system.position is None:
            return x.new_zeros(x.shape[0], x.shape[1] - 1, 0, 3)
        return x[:, 1:, None, self.place] - self.problem.centers

    def normals(self, x: Tensor) -> Tensor:
        """Gradients (B, T, k+g, n) of spheres and the robot's inequalities to the knot's state."""
        own = self.system.inequality_jacobian(x[:, 1:], self._parameters)
        if self.system.position is None:
            return own
        offsets = self.offsets(x)
        spheres = x.new_zeros(*offsets.shape[:-1], x.shape[-1])
        spheres[..., self.place] = -2.0 * offsets
        return torch.cat([spheres, own], -2)

    def values(self, x: Tensor, u: Tensor) -> Inequalities:
        """h of every inequality."""
        box = torch.cat([self.problem.u_lo[:, None] - u, u - self.problem.u_hi[:, None]], -1)
        sphere = self.problem.radius[:, None].square() - self.offsets(x).square().sum(-1)
        return Inequalities(box, sphere, self.system.inequality(x[:, 1:], self._parameters))

    def shifted(self, x: Tensor, u: Tensor, duals: Multipliers) -> Inequalities:
        """lambda + mu h; positive where the inequality is active (PHR)."""
        mu = duals.penalty[:, None, None]
        pairs = zip(duals.inequalities, self.values(x, u), strict=True)
        return Inequalities(*(old + mu * h for old, h in pairs))

    def cost(self, x: Tensor, u: Tensor) -> Tensor:
        """Eq. 5, (B,)."""
        states = self.problem.state_weight * (x[:, 1:] - self.problem.reference).square()
        controls = self.problem.control_weight * (u - self.problem.control_reference).square()
        return 0.5 * states.sum((1, 2)) + 0.5 * controls.sum((1, 2))

    def merit(self, x: Tensor, u: Tensor, duals: Multipliers) -> Tensor:
        """The augmented Lagrangian, (B,)."""
        mu = duals.penalty
        defect = self.step(x, u) - x[:, 1:]
        value = self.cost(x, u)
        value = value + (duals.dynamics * defect + 0.5 * mu[:, None, None] * defect.square()).sum((1, 2))
        new = self.shifted(x, u, duals).joined().clamp_min(0.0).square().sum((1, 2))
        old = duals.inequalities.joined().square().sum((1, 2))
        return value + 0.5 / mu * (new - old)

    def gradient(self, x: Tensor, u: Tensor, shifted: Inequalities) -> tuple[Tensor, Tensor]:
        """Gradient of cost and inequalities (B, T, n), (B, T, m); the dynamics enter in the sweep."""
        problem, m = self.problem, u.shape[-1]
        box, *rest = (v.clamp_min(0.0) for v in shifted)
        gx = problem.state_weight * (x[:, 1:] - problem.reference)
        gx = gx + (self.normals(x).mT @ torch.cat(rest, -1)[..., None])[..., 0]
        gu = problem.control_weight * (u - problem.control_reference)
        return gx, gu - box[..., :m] + box[..., m:]

    def hessian(self, x: Tensor, u: Tensor, weights: Inequalities) -> tuple[Tensor, Tensor]:
        """Gauss-Newton Hessian Q, R + sum_i weight_i grad h_i grad h_i': (B, T, n, n), (B, T, m, m)."""
        batch, m = x.shape[0], u.shape[-1]
        normals = self.normals(x)
        along = torch.cat([weights.sphere, weights.inequality], -1)[..., None]
        hx = torch.diag_embed(self.problem.state_weight.expand(batch, -1, -1))
        hu = self.problem.control_weight + weights.box[..., :m] + weights.box[..., m:]
        return hx + normals.mT @ (along * normals), torch.diag_embed(hu)


def named_parameters(system: System, parameters: Tensor) -> dict[str, Tensor]:
    """Columns of (1|B, P) by the system's names, each (1|B, 1): they broadcast over knots."""
    return dict(zip(system.parameters, parameters[:, :, None].unbind(1), strict=True))
