"""How many iterations a call runs and how the penalty grows over them."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

COLD_RAMP = 8  # iterations over which the penalty grows when a cold solve runs to tolerance


@dataclass(frozen=True)
class Schedule:
    """Iterations of one call of Algorithm 1.

    iterations: augmented-Lagrangian iterations (m of MPC-m, or the limit when running to tolerance).
    newton_steps: Gauss-Newton steps in each. growth: gamma. penalty_max: largest mu.
    tolerance: stop at this violation and step; 0 runs exactly `iterations`.
    """

    iterations: int
    newton_steps: int = 4
    growth: float = 10.0
    penalty_max: float = 1e6
    tolerance: float = 0.0

    def first_penalty(self, iterations: int) -> float:
        """mu that grows to penalty_max at the last of `iterations` (Section 4.2.3)."""
        return self.penalty_max * self.growth ** -(iterations - 1)


@dataclass(frozen=True)
class Barrier:
    """Numbers of the interior point.

    first, last: barrier tau at the start and the end. smallest: least slack of the first guess. shrink:
    factor of tau after a step whose line search kept more than `step_primal` and whose fraction to the
    boundary was above
    `step_fraction`. curvature: share of the spheres' own curvature in the Hessian. tolerance: residual at
    which a solve at the last tau has converged, if its step (without curvature: what the next step will be,
    going by the last two) is below 50 times as much.
    """

    first: float
    smallest: float
    shrink: float
    step_primal: float
    step_fraction: float
    curvature: float
    last: float = 1e-5
    iterations: int = 100
    tolerance: float = 5e-5

    def numbers(self) -> NDArray[np.float64]:
        """In the order of the kernel's arguments."""
        return np.array([
            self.first, self.last, self.smallest, self.shrink, self.step_primal, self.step_fraction,
            self.curvature
        ])  # fmt: skip


# Tuned against IPOPT on random quadrotor problems (`deqmpc_core.testing`, other seeds than the acceptance's).
# With spheres a large first barrier and a slow descent find the better local minimum; without them they only
# cost steps.
COLD = Barrier(first=0.2, smallest=0.1, shrink=0.2, step_primal=0.8, step_fraction=0.6, curvature=0.5)
WARM = Barrier(first=0.3, smallest=0.02, shrink=0.3, step_primal=0.5, step_fraction=0.1, curvature=0.5)
CONVEX = Barrier(first=1e-3, smallest=0.1, shrink=0.1, step_primal=0.3, step_fraction=0.1, curvature=0.0)


def barrier(convex: bool, warm: bool, tolerance: float) -> Barrier:
    """The numbers for a problem with control limits alone (convex) or more, from a plan (warm) or from
    nothing."""
    return replace(CONVEX if convex else WARM if warm else COLD, tolerance=tolerance)
