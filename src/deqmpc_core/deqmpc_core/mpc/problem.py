"""Problem data of Eq. 5, validated at the border and laid out for the backends."""

from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.errors import ShapeError
from deqmpc_core.types import Spheres


class Problem(NamedTuple):
    """float64 data; a leading 1 means shared by all samples.

    x0 (B, n); reference (B, T, n) for knots 1..T; state_weight (1|B, T, n); control_weight, control_reference
    (1|B, T, m); u_lo, u_hi (1|B, m); centers (1|B, 1|T, k, 3) and radius (1|B, k); parameters (1|B, P).
    """

    x0: Tensor
    reference: Tensor
    state_weight: Tensor
    control_weight: Tensor
    control_reference: Tensor
    u_lo: Tensor
    u_hi: Tensor
    centers: Tensor
    radius: Tensor
    parameters: Tensor


def require(name: str, value: Tensor, expected: tuple[int | None, ...]) -> Tensor:
    """The tensor as float64 if its shape fits (None: any size), else ShapeError with both shapes."""
    if not isinstance(value, Tensor):
        raise ShapeError(f"{name}: expected a torch tensor, got {type(value).__name__}")
    fits = value.ndim == len(expected) and all(
        e is None or e == s for e, s in zip(expected, value.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("*" if e is None else str(e) for e in expected)
        raise ShapeError(f"{name}: expected shape ({wanted}), got {tuple(value.shape)}")
    if not value.is_floating_point():
        raise ShapeError(f"{name}: expected a floating-point tensor, got {value.dtype}")
    return value.to(torch.float64)


def per_knot(name: str, value: Tensor, batch: int, horizon: int, width: int) -> Tensor:
    """(width,), (T, width), (B, width) or (B, T, width) as (1|B, T, width)."""
    if value.ndim == 1:
        value = value[None, None]
    elif value.ndim == 2:
        value = value[None] if value.shape[0] == horizon and value.shape[0] != batch else value[:, None]
    rows = value.shape[0] if value.shape[0] in (1, batch) else batch
    steps = value.shape[1] if value.ndim == 3 and value.shape[1] == horizon else 1
    value = require(name, value, (rows, steps, width))
    return value.expand(rows, horizon, width)


def spheres_data(spheres: Spheres | None, margin: float, batch: int, horizon: int) -> tuple[Tensor, Tensor]:
    """Centers (1|B, 1|T, k, 3) and inflated radii (1|B, k); k = 0 without spheres."""
    if spheres is None:
        return torch.zeros(1, 1, 0, 3, dtype=torch.float64), torch.zeros(1, 0, dtype=torch.float64)
    center = spheres.center
    if center.ndim not in (2, 3, 4) or center.shape[-1] != 3:
        raise ShapeError(
            f"spheres.center: expected (k, 3), (B, k, 3) or (B, T, k, 3), got {tuple(center.shape)}"
        )
    count = center.shape[-2]
    center = center[None, None] if center.ndim == 2 else center[:, None] if center.ndim == 3 else center
    rows = center.shape[0] if center.shape[0] in (1, batch) else batch
    steps = center.shape[1] if center.shape[1] == horizon else 1
    center = require("spheres.center", center, (rows, steps, count, 3))
    radius = torch.as_tensor(spheres.radius, dtype=torch.float64)
    radius = radius.expand(count) if radius.ndim == 0 else radius
    radius = radius[None] if radius.ndim == 1 else radius
    return center, require(
        "spheres.radius", radius, (radius.shape[0] if radius.shape[0] == 1 else batch, count)
    ) + margin
