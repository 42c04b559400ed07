"""Splitting and joining batches of nested named tuples, for ticks where some samples are cold and others
warm."""

from typing import Any

import torch
from torch import Tensor

from deqmpc_core.types import Plan


def take_rows(value: Any, rows: Tensor) -> Any:
    """The given samples of a (nested) tuple of tensors; tensors without a batch axis and plain values
    stay."""
    if isinstance(value, Tensor):
        return value[rows] if value.ndim else value
    if hasattr(value, "center"):
        return _take_spheres(value, rows)
    if isinstance(value, tuple):
        return _rebuild(value, [take_rows(v, rows) for v in value])
    return value


def merge_states(parts: list[Any], order: Tensor) -> Any:
    """Concatenate (nested) tuples of tensors along the batch and put the samples in order; None stays."""
    first = parts[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return torch.cat(parts)[order]
    return _rebuild(first, [merge_states(list(group), order) for group in zip(*parts, strict=True)])


def merge_plans(plans: list[Plan], order: Tensor) -> Plan:
    """One plan of several groups' plans; of the rounds those that all groups have, counted from the last."""
    common = min(len(p.rounds) for p in plans)
    rounds = [p.rounds[len(p.rounds) - common :] for p in plans]
    joined = tuple(merge_states(list(group), order) for group in zip(*rounds, strict=True))
    status = torch.cat([p.status for p in plans])[order]
    last = joined[-1]
    return Plan(
        last.x, last.u, last.theta, joined, status, _merge_info([p.info for p in plans], common, order)
    )


def _merge_info(infos: list[Any], common: int, order: Tensor) -> Any:
    residual = torch.cat([i.residual[-common:] for i in infos], 1)[:, order]
    violation = torch.cat([i.violation[-common:] for i in infos], 1)[:, order]
    times = (sum(i.network_ms for i in infos), sum(i.solver_ms for i in infos))
    return type(infos[0])(*times, residual, violation)


def _take_spheres(spheres: Any, rows: Tensor) -> Any:
    center, radius = spheres
    if center.ndim > 2:
        center = center[rows]
    if isinstance(radius, Tensor) and radius.ndim > 1:
        radius = radius[rows]
    return type(spheres)(center, radius)


def _rebuild(example: tuple[Any, ...], values: list[Any]) -> Any:
    return type(example)(*values) if hasattr(example, "_fields") else tuple(values)
