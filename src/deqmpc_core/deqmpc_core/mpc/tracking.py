"""TrackingSolver: the differentiable MPC layer (Eqs. 5, 11, 12, Algorithm 1)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc.bound import BoundSolver
from deqmpc_core.mpc.implicit import Implicit
from deqmpc_core.mpc.native import NativeBackend
from deqmpc_core.mpc.problem import (
    Problem,
    parameters_data,
    per_knot,
    per_sample,
    require,
    spheres_data,
)
from deqmpc_core.mpc.schedule import COLD_RAMP, Barrier, Schedule, barrier
from deqmpc_core.mpc.starts import MAX_STARTS, cold_starts
from deqmpc_core.mpc.warm_start import cold_start, shift
from deqmpc_core.tasks.task import Task
from deqmpc_core.types import Solution, SolveInfo, SolverState, Spheres, Status

_TO_TOLERANCE = 40  # augmented-Lagrangian iterations at most when al_iterations is None


class TrackingSolver:
    """Tracks waypoints under the task's dynamics, control limits, inequalities and spheres.

    task: robot, interval, weights, limits, spheres. horizon: T.
    method: "augmented_lagrangian", the paper's MPC-m, or "interior_point", for running to tolerance.
    backend: "native" (float64, CPU) or "torch" (any device and dtype; augmented Lagrangian only).
    adjoint: "exact" (the derivative of a converged solution) or "gauss_newton" (Eq. 12).
    tolerance: largest violation [state units] accepted when a call runs to tolerance.
    penalty_max, growth, newton_steps: mu_max, gamma and Gauss-Newton steps an augmented-Lagrangian iteration.
    starts: first guesses of a cold interior point, the cheapest feasible solution wins; 1 to 4.
    """

    def __init__(
        self, task: Task, horizon: int | None = None, *, method: str = "augmented_lagrangian",
        backend: str = "native", adjoint: str = "gauss_newton", tolerance: float = 5e-5,
        penalty_max: float = 1e6, growth: float = 10.0, newton_steps: int = 4,
        safety_margin: float | None = None, starts: int = 1,
    ) -> None:  # fmt: skip
        self.task, self.horizon = task, task.horizon if horizon is None else horizon
        if self.horizon < 1:
            raise ShapeError(f"horizon: expected at least 1 interval, got {self.horizon}")
        self.schedule = Schedule(_TO_TOLERANCE, newton_steps, growth, penalty_max, tolerance)
        self.margin = task.safety_margin if safety_margin is None else safety_margin
        self.exact = _choice("adjoint", adjoint, ("gauss_newton", "exact")) == "exact"
        self.method = _choice("method", method, ("augmented_lagrangian", "interior_point"))
        self.native = _choice("backend", backend, ("native", "torch")) == "native"
        if self.method == "interior_point" and not self.native:
            raise ConfigError("method: 'interior_point' needs backend='native', got backend='torch'")
        if not 1 <= starts <= MAX_STARTS:
            raise ConfigError(f"starts: expected 1 to {MAX_STARTS}, got {starts}")
        self.starts = starts
        self.backend = _backend(self.native, task, self.horizon)

    def __repr__(self) -> str:
        return f"TrackingSolver({self.task.name}, T={self.horizon}, n={self.task.n}, m={self.task.m})"

    def initial_state(
        self, x0: Tensor, total_iterations: int = 12, spheres: Spheres | None = None
    ) -> SolverState:
        """Cold state for x0 (B, n): the penalty will reach its maximum after `total_iterations`."""
        x0 = require("x0", x0, (None, self.task.n), x0 if not self.native else None)
        count = (spheres or self.task.spheres or _NO_SPHERES).center.shape[-2]
        penalty = self.schedule.first_penalty(total_iterations)
        own = len(self.task.system.symbolic_inequalities)
        return cold_start(x0, self.task.control_reference, count, self.horizon, penalty, own)

    def shift(
        self, state: SolverState, x0: Tensor, knots: float = 1.0, al_iterations: int = 2
    ) -> SolverState:
        """Warm start (Section 4.2.3) for measured x0 (B, n), `knots` intervals later, before
        `al_iterations`."""
        return shift(self.task.system, state, x0, knots, self.schedule.first_penalty(al_iterations))

    def bind(self, batch: int = 1, spheres: int = 0, al_iterations: int | None = None) -> BoundSolver:
        """The solver with arrays of its own for `batch` samples of `spheres` spheres: no allocation in a
        call."""
        return BoundSolver(self, batch, spheres, al_iterations)

    def problem(
        self, x0: Tensor, reference: Tensor, spheres: Spheres | None = None,
        state_weight: Tensor | None = None,
        control_weight: Tensor | None = None, limits: tuple[Tensor, Tensor] | None = None,
        control_reference: Tensor | None = None, parameters: Mapping[str, float | Tensor] | None = None,
    ) -> Problem:  # fmt: skip
        """Validated data of one call; what is not given comes from the task. Raises ShapeError,
        UnknownNameError."""
        task, horizon = self.task, self.horizon
        x0 = require("x0", x0, (None, task.n), x0 if not self.native else None)
        if self.native and x0.device.type != "cpu":
            raise ShapeError(f"x0: expected a tensor on cpu for backend='native', got one on {x0.device}")
        batch = x0.shape[0]

        def own(given: Tensor | None, default: Tensor) -> Tensor:
            return default.to(x0) if given is None else given

        if spheres is None and task.spheres is not None:
            spheres = Spheres(task.spheres.center.to(x0), task.spheres.radius)
        lo, hi = (None, None) if limits is None else limits
        return Problem(
            x0, require("reference", reference, (batch, horizon, task.n), x0),
            per_knot("state_weight", own(state_weight, task.state_weight), batch, horizon, task.n, x0),
            per_knot("control_weight", own(control_weight, task.control_weight), batch, horizon, task.m, x0),
            per_knot(
                "control_reference", own(control_reference, task.control_reference), batch, horizon, task.m,
                x0
            ),
            per_sample("u_lo", own(lo, task.u_lo), batch, task.m, x0),
            per_sample("u_hi", own(hi, task.u_hi), batch, task.m, x0),
            *spheres_data(spheres, self.margin, batch, horizon, x0),
            parameters_data(task, parameters or {}, batch, x0),
        )  # fmt: skip

    def __call__(
        self, x0: Tensor, reference: Tensor, warm: SolverState | None = None,
        al_iterations: int | None = None,
        spheres: Spheres | None = None, **options: Any,
    ) -> Solution:  # fmt: skip
        """Solve for x0 (B, n) and waypoints reference (B, T, n) of knots 1..T.

        warm: the state of an earlier call; al_iterations: m of MPC-m, None to run to tolerance; options:
        state_weight, control_weight, limits, control_reference, parameters as in `problem`. Gradients flow to
        all of them but the limits, and to the spheres. Trouble is a Status of the sample, never an exception;
        wrong shapes raise ShapeError.
        """
        problem = self.problem(x0, reference, spheres, **options)
        if warm is not None:
            self._check_state(warm, problem)
        if self.method == "interior_point":
            if al_iterations is not None:
                raise ConfigError("al_iterations: expected None with method='interior_point'")
            return self._solution(problem, *self._interior(problem, warm))
        if warm is None:
            penalty = self.schedule.first_penalty(COLD_RAMP if al_iterations is None else al_iterations)
            (warm,) = cold_starts(self.task.system, problem, penalty, 1)
        if al_iterations is None:
            schedule = self.schedule
        else:
            schedule = replace(self.schedule, iterations=al_iterations, tolerance=0.0)
        return self._solution(problem, *self.backend.solve(problem, warm, schedule))

    def barrier(self, spheres: int, warm: bool) -> Barrier:
        """The interior point's numbers for so many spheres, from a plan (warm) or from nothing."""
        convex = spheres == 0 and self.task.system.inequalities is None
        return barrier(convex, warm, self.schedule.tolerance)

    def _interior(self, problem: Problem, warm: SolverState | None) -> tuple[SolverState, Tensor, Tensor]:
        """The interior point from the warm plan, or the best of its cold starts."""
        numbers = self.barrier(problem.radius.shape[1], warm is not None)
        if warm is not None:
            return self.backend.solve_interior(problem, warm, numbers)
        guesses = cold_starts(self.task.system, problem, numbers.first, self.starts)
        best = self.backend.solve_interior(problem, guesses[0], numbers)
        for guess in guesses[1:]:
            best = _better(best, self.backend.solve_interior(problem, guess, numbers))
        return best

    def _solution(self, problem: Problem, state: SolverState, status: Tensor, numbers: Tensor) -> Solution:
        info = SolveInfo(numbers[:, 0], numbers[:, 1], numbers[:, 2])
        x, u = state.x, state.u
        if torch.is_grad_enabled() and any(v.requires_grad for v in problem):
            options = (self.exact, self.method == "interior_point")
            x, u = Implicit.apply(self.backend, options, state, numbers[:, 4], *problem)
        return Solution(x, u, status, info, state)

    def _check_state(self, state: SolverState, problem: Problem) -> None:
        batch, horizon, n, m = problem.x0.shape[0], self.horizon, self.task.n, self.task.m
        own = len(self.task.system.symbolic_inequalities)
        widths = (n, m, n, 2 * m, problem.radius.shape[1], own)
        for name, value, width in zip(SolverState._fields, state[:6], widths, strict=False):
            steps = horizon + 1 if name == "x" else horizon
            require(f"warm.{name}", value, (batch, steps, width), problem.x0)


_NO_SPHERES = Spheres(torch.zeros(0, 3), 0.0)


def _better(
    a: tuple[SolverState, Tensor, Tensor], b: tuple[SolverState, Tensor, Tensor]
) -> tuple[SolverState, Tensor, Tensor]:
    """Sample by sample the cheaper of two results, a converged one before one that is not."""

    def rank(result: tuple[SolverState, Tensor, Tensor]) -> Tensor:
        _, status, numbers = result
        return torch.where(status == Status.CONVERGED.code, numbers[:, 1], torch.inf)

    second = rank(b) < rank(a)
    state = SolverState(*(_rows(second, y, x) for x, y in zip(a[0], b[0], strict=True)))
    numbers = _rows(second, b[2], a[2])
    numbers[:, 2] = a[2][:, 2] + b[2][:, 2]
    return state, torch.where(second, b[1], a[1]), numbers


def _rows(mask: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    return torch.where(mask.reshape(-1, *[1] * (chosen.ndim - 1)), chosen, other)


def _choice(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"{name}: expected one of {', '.join(known)}, got '{value}'")
    return value


def _backend(native: bool, task: Task, horizon: int) -> Any:
    if native:
        return NativeBackend(task.system, horizon, task.dt, task.substeps)
    from deqmpc_core.mpc.augmented_lagrangian import TorchBackend

    return TorchBackend(task.system, horizon, task.dt, task.substeps)
