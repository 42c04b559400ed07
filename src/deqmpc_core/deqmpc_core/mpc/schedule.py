"""How many iterations a call runs and how the penalty grows over them."""

from dataclasses import dataclass


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
