"""Control limits changed in flight: tighter than the task's, never wider. Uses torch."""

from typing import Any

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError

_ROOM = 1.05  # a robot that holds itself up needs so much more than its control at rest


def tightened(task: Any, largest: float) -> tuple[Tensor, Tensor] | None:
    """The task's limits (u_lo (1, m), u_hi (1, m)) with no control larger in magnitude than `largest`; 0:
    None, the task's own.

    Raises ConfigError for a number that is no limit, wider than the task's or too low to hold the robot.
    """
    if largest == 0.0:
        return None
    widest = float(torch.maximum(task.u_hi.abs(), task.u_lo.abs()).max())
    least = _ROOM * float(task.control_reference.abs().max())
    if not 0.0 < largest <= widest:
        raise ConfigError(
            f"u_max: expected 0 (the task's limits) or up to {widest:g}, got {largest:g}; "
            "limits can only be tightened in flight"
        )
    if largest < least:
        raise ConfigError(f"u_max: {largest:g} would not hold the robot up; expected at least {least:.4g}")
    bound = torch.full_like(task.u_hi, largest)
    return torch.maximum(task.u_lo, -bound)[None], torch.minimum(task.u_hi, bound)[None]
