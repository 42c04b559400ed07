"""Problem data of Eq. 5, validated at the border and laid out for the backends."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.errors import ShapeError, UnknownNameError
from deqmpc_core.tasks.task import Task
from deqmpc_core.types import Spheres

MAX_SPHERES = 64


class Problem(NamedTuple):
    """One device and dtype; a leading 1 means shared by all samples.

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


def require(name: str, value: Tensor, expected: tuple[int | None, ...], like: Tensor | None = None) -> Tensor:
    """The tensor if its shape fits (None: any size), else ShapeError with both shapes.

    like: it must lie on the same device, and is converted to its dtype; without it to float64.
    """
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
    if like is None:
        return value.to(torch.float64)
    if value.device != like.device:
        raise ShapeError(f"{name}: expected a tensor on {like.device} as x0 is, got one on {value.device}")
    return value.to(like.dtype)


def per_knot(name: str, value: Tensor, batch: int, horizon: int, width: int, like: Tensor) -> Tensor:
    """(width,), (T, width), (B, width) or (B, T, width) as (1|B, T, width)."""
    if value.ndim == 1:
        value = value[None, None]
    elif value.ndim == 2:
        value = value[None] if value.shape[0] == horizon and value.shape[0] != batch else value[:, None]
    rows = value.shape[0] if value.shape[0] in (1, batch) else batch
    steps = value.shape[1] if value.ndim == 3 and value.shape[1] == horizon else 1
    value = require(name, value, (rows, steps, width), like)
    return value.expand(rows, horizon, width)


def per_sample(name: str, value: Tensor, batch: int, width: int, like: Tensor) -> Tensor:
    """(width,) or (B, width) as (1|B, width)."""
    value = value[None] if value.ndim == 1 else value
    return require(name, value, (1 if value.shape[:1] == (1,) else batch, width), like)


def spheres_data(
    spheres: Spheres | None, margin: float, batch: int, horizon: int, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Centers (1|B, 1|T, k, 3) and inflated radii (1|B, k); k = 0 without spheres."""
    if spheres is None:
        return like.new_zeros(1, 1, 0, 3), like.new_zeros(1, 0)
    center = spheres.center
    if not isinstance(center, Tensor) or center.ndim not in (2, 3, 4) or center.shape[-1] != 3:
        came = tuple(center.shape) if isinstance(center, Tensor) else type(center).__name__
        raise ShapeError(f"spheres.center: expected (k, 3), (B, k, 3) or (B, T, k, 3), got {came}")
    count = center.shape[-2]
    if count > MAX_SPHERES:
        raise ShapeError(
            f"spheres.center: expected at most {MAX_SPHERES} spheres, got {count}; drop the farthest"
        )
    center = center[None, None] if center.ndim == 2 else center[:, None] if center.ndim == 3 else center
    rows = center.shape[0] if center.shape[0] in (1, batch) else batch
    steps = center.shape[1] if center.shape[1] == horizon else 1
    center = require("spheres.center", center, (rows, steps, count, 3), like)
    radius = torch.as_tensor(spheres.radius, dtype=like.dtype, device=like.device)
    radius = radius.expand(count) if radius.ndim == 0 else radius
    return center, per_sample("spheres.radius", radius, batch, count, like) + margin


def parameters_data(task: Task, given: Mapping[str, float | Tensor], batch: int, like: Tensor) -> Tensor:
    """The model's parameters (1|B, P), those named in `given` (a number, () or (B,)) replaced.

    Raises UnknownNameError, ShapeError.
    """
    values = {**task.system.parameters, **given}
    columns = []
    for name, value in values.items():
        if name not in task.system.parameters:
            raise UnknownNameError("model parameter", name, task.system.parameters)
        column = torch.as_tensor(value, dtype=like.dtype, device=like.device)
        if column.shape not in ((), (1,), (batch,)):
            raise ShapeError(f"parameters['{name}']: expected () or ({batch},), got {tuple(column.shape)}")
        columns.append(column.reshape(-1))
    rows = batch if any(c.shape[0] > 1 for c in columns) else 1
    return torch.stack([c.expand(rows) for c in columns], 1)
