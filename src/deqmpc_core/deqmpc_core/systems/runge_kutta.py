"""First and second derivatives of classic Runge-Kutta steps, by the chain rule through their stages."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from deqmpc_core.systems.system import Parameters, System

_NODES = (0.0, 0.5, 0.5, 1.0)
_WEIGHTS = (1 / 6, 1 / 3, 1 / 3, 1 / 6)


class Stage(NamedTuple):
    """One evaluation of f: its point (..., n), the point's tangent to the step's (x, u) (..., n, n+m), and
    f_x (..., n, n) there."""

    point: Tensor
    tangent: Tensor
    fx: Tensor


def stages(
    system: "System", x: Tensor, u: Tensor, dt: float, substeps: int, parameters: "Parameters | None"
) -> tuple[Tensor, Tensor, list[list[Stage]]]:
    """Successor (..., n), its Jacobian (..., n, n+m) to (x, u), and the four stages of every substep."""
    h, n = dt / substeps, system.n
    tangent = torch.eye(n, n + system.m, dtype=x.dtype, device=x.device).expand(*x.shape[:-1], -1, -1)
    record = []
    for _ in range(substeps):
        k, dk = torch.zeros_like(x), torch.zeros_like(tangent)
        x_next, tangent_next, row = x, tangent, []
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            point, inner = x + node * h * k, tangent + node * h * dk
            fx, fu = system.jacobian(point, u, parameters)
            k = system.derivative(point, u, parameters)
            dk = fx @ inner + torch.cat([torch.zeros_like(fx), fu], -1)
            x_next, tangent_next = x_next + weight * h * k, tangent_next + weight * h * dk
            row.append(Stage(point, inner, fx))
        x, tangent = x_next, tangent_next
        record.append(row)
    return x, tangent, record


def curvature(
    system: "System", x: Tensor, u: Tensor, cotangent: Tensor, dt: float, substeps: int,
    parameters: "Parameters | None",
) -> Tensor:  # fmt: skip
    """Hessian (..., n+m, n+m) of cotangent' F(x, u) for one control interval F.

    Only f bends: sum over stages of D' (sum_i l_i d2f_i) D, with D the tangent of the stage's (point, u) and
    l the cotangent that the reverse sweep gives the stage's slope.
    """
    h, record = dt / substeps, stages(system, x, u, dt, substeps, parameters)[2]
    held = torch.eye(system.n + system.m, dtype=x.dtype, device=x.device)[system.n :]
    held = held.expand(*x.shape[:-1], -1, -1)
    total: Tensor | None = None
    for row in reversed(record):
        before, pulled = cotangent, torch.zeros_like(cotangent)
        for i in reversed(range(4)):
            stage = row[i]
            slope = _WEIGHTS[i] * h * cotangent + pulled
            bend = system.curvature(stage.point, u, slope, parameters)
            tangent = torch.cat([stage.tangent, held], -2)
            term = tangent.mT @ bend @ tangent
            total = term if total is None else total + term
            back = (stage.fx.mT @ slope[..., None])[..., 0]
            before, pulled = before + back, _NODES[i] * h * back
        cotangent = before
    assert total is not None
    return total
