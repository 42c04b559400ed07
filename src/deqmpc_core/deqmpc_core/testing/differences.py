"""Central differences: what every gradient is compared with."""

from collections.abc import Callable

import torch
from torch import Tensor


def finite_difference(
    function: Callable[[Tensor], Tensor], point: Tensor, directions: Tensor, step: float = 1e-5
) -> Tensor:
    """Slopes (D, ...) of function at point (...) along directions (D, ...): (f(p + h d) - f(p - h d)) / 2h.

    The function is called 2 D times without gradients; its error is O(step^2), so convergence of what it
    calls must be tighter than step times the accuracy wanted.
    """
    with torch.no_grad():
        rises = [function(point + step * d) - function(point - step * d) for d in directions]
    return torch.stack(rises) / (2.0 * step)
