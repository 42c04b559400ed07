"""Values that cross room borders. Letters: B batch, T control intervals, n state, m control, k obstacles."""

from enum import Enum
from typing import Any, NamedTuple

from torch import Tensor


class Spheres(NamedTuple):
    """Keep-out spheres.

    center: (k, 3), (B, k, 3) or (B, T, k, 3), in the task's frame [m], for knots 1..T.
    radius: one number, (k,) or (B, k) [m].
    """

    center: Tensor
    radius: float | Tensor


class Status(Enum):
    """How a sample's solve ended; the value is the sentence a user reads."""

    CONVERGED = "converged: constraints and optimality hold to the tolerance"
    BUDGET_SPENT = "budget spent: the asked number of augmented-Lagrangian iterations was done"
    MAX_ITERATIONS = "not converged: the iteration limit was reached; raise it or warm-start"
    LINE_SEARCH_FAILED = "stopped: no step along the search direction lowers the merit function"
    NOT_FINITE = "refused: the start, reference or weights hold NaN or infinity"
    INFEASIBLE_START = "infeasible start: the first state violates a constraint that no control can mend"
    INFEASIBLE_BOUNDS = "refused: a lower control limit lies above its upper one"

    @property
    def code(self) -> int:
        """Position in the enum: what kernels write and Solution.status holds."""
        return list(Status).index(self)


class SolveInfo(NamedTuple):
    """Per-sample numbers of a solve, each (B,): largest constraint violation, cost, Gauss-Newton
    iterations."""

    violation: Tensor
    cost: Tensor
    iterations: Tensor


class SolverState(NamedTuple):
    """All that the next call needs: primal x (B,T+1,n), u (B,T,m); multipliers of dynamics (B,T,n), of the
    control box (B,T,2m; lower then upper), of spheres (B,T,k), of the robot's own inequalities (B,T,g);
    penalty mu (B,), in an interior point the barrier."""

    x: Tensor
    u: Tensor
    dynamics: Tensor
    box: Tensor
    sphere: Tensor
    inequality: Tensor
    penalty: Tensor


class Sensitivity(NamedTuple):
    """Solution s of the adjoint system H s = (seed_x, seed_u) at a solve's last iterate.

    x (B,T,n) of knots 1..T; u (B,T,m); the adjoint multipliers: dynamics (B,T,n), sphere (B,T,k), inequality
    (B,T,g); x0 (B,n): the loss's gradient to x0; ok (B,): whether the sample's system could be factorised.
    """

    x: Tensor
    u: Tensor
    dynamics: Tensor
    sphere: Tensor
    inequality: Tensor
    x0: Tensor
    ok: Tensor


class Solution(NamedTuple):
    """x (B,T+1,n), u (B,T,m), status (B,) of Status codes, info, and the state for the next call."""

    x: Tensor
    u: Tensor
    status: Tensor
    info: SolveInfo
    state: SolverState


class Observation(NamedTuple):
    """What a policy sees: x (B,n); spheres or None (the task's own); limits (u_lo (B,m), u_hi (B,m)) or
    None."""

    x: Tensor
    spheres: Spheres | None = None
    limits: tuple[Tensor, Tensor] | None = None


class Iterate(NamedTuple):
    """One DEQ-MPC round: x (B,T+1,n), u (B,T,m), theta (B,T,n); what else the network predicted, None where
    it did not: centers (B,T,k,3) of the spheres [m], state_weight (B,T,n)."""

    x: Tensor
    u: Tensor
    theta: Tensor
    centers: Tensor | None = None
    state_weight: Tensor | None = None


class Plan(NamedTuple):
    """A policy's answer: the last round's x, u, theta, every round's Iterate, status (B,) of Status codes,
    info."""

    x: Tensor
    u: Tensor
    theta: Tensor
    rounds: tuple[Iterate, ...]
    status: Tensor
    info: Any = None
