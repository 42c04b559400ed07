"""What a tick leaves behind: the state for the next one, and figures of its rounds."""

from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.mpc.warm_start import advance
from deqmpc_core.types import SolverState


class PolicyState(NamedTuple):
    """The last tick's solver state, the policy's memory z (B, ...), warm (B,): False means start cold, and
    the predicted centres (B, T, k, 3) of the spheres, None where nothing predicts them."""

    solver: SolverState
    z: Tensor
    warm: Tensor
    centers: Tensor | None = None


class PolicyInfo(NamedTuple):
    """Wall time of the call in network and solver [ms]; per sample and round the fixed-point residual of the
    network and the largest constraint violation (NaN where no solver ran), each (N, B) in N rounds."""

    network_ms: float
    solver_ms: float
    residual: Tensor
    violation: Tensor


def later(centers: Tensor | None, knots: float) -> Tensor | None:
    """Predicted centres (B, T, k, 3) `knots` intervals on, the last held."""
    return None if centers is None else advance(centers.flatten(2), knots).view_as(centers)


class Tally:
    """Times and residuals of a call's rounds."""

    def __init__(self) -> None:
        self.network = self.solver = self.mark = 0.0
        self.residuals: list[Tensor] = []
        self.violations: list[Tensor] = []

    def start(self) -> None:
        """A round begins."""
        self.mark = perf_counter()

    def network_done(self, residual: Tensor) -> None:
        """The network has answered, with a fixed-point residual (B,)."""
        now = perf_counter()
        self.network, self.mark = self.network + now - self.mark, now
        self.residuals.append(residual)

    def solver_done(self, violation: Tensor) -> None:
        """The solver has, with a violation (B,)."""
        self.solver += perf_counter() - self.mark
        self.violations.append(violation)

    def info(self) -> PolicyInfo:
        """The figures."""
        return PolicyInfo(
            1e3 * self.network, 1e3 * self.solver, torch.stack(self.residuals), torch.stack(self.violations)
        )
