"""TrackingSolver: the differentiable MPC layer (Eqs. 5, 11, 12, Algorithm 1)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError, UnknownNameError
from deqmpc_core.mpc.gradients import FIELDS, gradients
from deqmpc_core.mpc.native import NativeBackend
from deqmpc_core.mpc.problem import Problem, per_knot, require, spheres_data
from deqmpc_core.mpc.schedule import Schedule
from deqmpc_core.mpc.warm_start import cold_start, shift
from deqmpc_core.tasks.task import Task
from deqmpc_core.types import Solution, SolveInfo, SolverState, Spheres

_TO_TOLERANCE = 40  # augmented-Lagrangian iterations at most when al_iterations is None


class TrackingSolver:
    """Tracks waypoints under the task's dynamics, control limits and spheres.

    task: robot, interval, weights, limits, spheres. horizon: T.
    adjoint: "gauss_newton" (Eq. 12) or "exact" (the derivative of a converged solution).
    tolerance: largest violation [state units] accepted when a call runs to tolerance.
    penalty_max, growth: mu_max and gamma of the penalty schedule.
    """

    def __init__(
        self, task: Task, horizon: int | None = None, *, method: str = "augmented_lagrangian",
        backend: str = "native", adjoint: str = "gauss_newton", tolerance: float = 5e-5,
        penalty_max: float = 1e6, growth: float = 10.0, newton_steps: int = 4,
        safety_margin: float | None = None,
    ) -> None:  # fmt: skip
        self.task, self.horizon = task, task.horizon if horizon is None else horizon
        if self.horizon < 1:
            raise ShapeError(f"horizon: expected at least 1 interval, got {self.horizon}")
        self._schedule = Schedule(_TO_TOLERANCE, newton_steps, growth, penalty_max, tolerance)
        self._margin = task.safety_margin if safety_margin is None else safety_margin
        self._adjoint = _choice("adjoint", adjoint, ("gauss_newton", "exact"))
        self._method = _choice("method", method, ("augmented_lagrangian",))
        self._backend = _backend(_choice("backend", backend, ("native", "torch")), task, self.horizon)

    def __repr__(self) -> str:
        return f"TrackingSolver({self.task.name}, T={self.horizon}, n={self.task.n}, m={self.task.m})"

    def initial_state(
        self, x0: Tensor, total_iterations: int = 12, spheres: Spheres | None = None
    ) -> SolverState:
        """Cold state for x0 (B, n): the penalty will reach its maximum after `total_iterations`."""
        x0 = require("x0", x0, (None, self.task.n))
        count = (spheres or self.task.spheres or _NO_SPHERES).center.shape[-2]
        penalty = self._schedule.first_penalty(total_iterations)
        inequalities = len(self.task.system.symbolic_inequalities)
        return cold_start(x0, self.task.control_reference, count, self.horizon, penalty, inequalities)

    def shift(
        self, state: SolverState, x0: Tensor, knots: float = 1.0, al_iterations: int = 2
    ) -> SolverState:
        """Warm start (Section 4.2.3) for measured x0 (B, n), `knots` intervals later, before
        `al_iterations`."""
        return shift(self.task.system, state, x0, knots, self._schedule.first_penalty(al_iterations))

    def problem(
        self, x0: Tensor, reference: Tensor, spheres: Spheres | None = None,
        state_weight: Tensor | None = None,
        control_weight: Tensor | None = None, limits: tuple[Tensor, Tensor] | None = None,
        control_reference: Tensor | None = None, parameters: Mapping[str, Tensor] | None = None,
    ) -> Problem:  # fmt: skip
        """Validated data of one call; what is not given comes from the task."""
        task, horizon = self.task, self.horizon
        x0 = require("x0", x0, (None, task.n))
        batch = x0.shape[0]
        centers, radius = spheres_data(
            task.spheres if spheres is None else spheres, self._margin, batch, horizon
        )
        lo, hi = (task.u_lo, task.u_hi) if limits is None else limits
        wx = task.state_weight if state_weight is None else state_weight
        wu = task.control_weight if control_weight is None else control_weight
        uref = task.control_reference if control_reference is None else control_reference
        return Problem(
            x0, require("reference", reference, (batch, horizon, task.n)),
            per_knot("state_weight", wx, batch, horizon, task.n),
            per_knot("control_weight", wu, batch, horizon, task.m),
            per_knot("control_reference", uref, batch, horizon, task.m),
            require("u_lo", lo[None] if lo.ndim == 1 else lo, (None, task.m)),
            require("u_hi", hi[None] if hi.ndim == 1 else hi, (None, task.m)),
            centers, radius,
            _parameters(task, parameters or {}, batch),
        )  # fmt: skip

    def __call__(
        self, x0: Tensor, reference: Tensor, warm: SolverState | None = None,
        al_iterations: int | None = None,
        spheres: Spheres | None = None, **options: Any,
    ) -> Solution:  # fmt: skip
        """Solve for x0 (B, n) and waypoints reference (B, T, n) of knots 1..T.

        warm: the state of an earlier call; al_iterations: m of MPC-m, None to run to tolerance; options:
        state_weight, control_weight, limits as in `problem`. Gradients flow to reference, x0 and the weights.
        Trouble is a Status of the sample, never an exception; wrong shapes raise ShapeError.
        """
        problem = self.problem(x0, reference, spheres, **options)
        iterations = _TO_TOLERANCE if al_iterations is None else al_iterations
        if warm is None:
            cold = 8 if al_iterations is None else al_iterations
            count = problem.radius.shape[1]
            warm = cold_start(
                problem.x0,
                self.task.control_reference,
                count,
                self.horizon,
                self._schedule.first_penalty(cold),
                len(self.task.system.symbolic_inequalities),
            )
        self._check_state(warm, problem)
        tolerance = self._schedule.tolerance if al_iterations is None else 0.0
        base = self._schedule
        schedule = Schedule(iterations, base.newton_steps, base.growth, base.penalty_max, tolerance)
        return self._solve(problem, warm, schedule)

    def _solve(self, problem: Problem, warm: SolverState, schedule: Schedule) -> Solution:
        state, status, numbers = self._backend.solve(problem, warm, schedule)
        info = SolveInfo(numbers[:, 0], numbers[:, 1], numbers[:, 2])
        x, u = state.x, state.u
        if torch.is_grad_enabled() and any(v.requires_grad for v in problem):
            x, u = _Implicit.apply(
                self._backend, self.task, self._adjoint == "exact", state, numbers[:, 4], *problem
            )
        return Solution(x, u, status, info, state)

    def _check_state(self, state: SolverState, problem: Problem) -> None:
        batch, horizon, n, m = problem.x0.shape[0], self.horizon, self.task.n, self.task.m
        widths = (n, m, n, 2 * m, problem.radius.shape[1])
        for name, value, width in zip(SolverState._fields, state[:5], widths, strict=False):
            steps = horizon + 1 if name == "x" else horizon
            require(f"warm.{name}", value, (batch, steps, width))


class _Implicit(torch.autograd.Function):
    """The adjoint as autograd sees it: gradients to every field of the problem but the control limits."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, backend: Any, task: Task, exact: bool, state: SolverState, penalty: Tensor, *fields: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.backend, ctx.task, ctx.exact, ctx.state, ctx.penalty = backend, task, exact, state, penalty
        ctx.problem = Problem(*(v.detach() for v in fields))
        return state.x.clone(), state.u.clone()

    @staticmethod
    def backward(ctx: Any, seed_x: Tensor, seed_u: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        problem, state, task = ctx.problem, ctx.state, ctx.task
        sensitivity = ctx.backend.adjoint(problem, state, ctx.penalty, seed_x, seed_u, ctx.exact)
        needed = zip(Problem._fields, ctx.needs_input_grad[5:], strict=True)
        wanted = [name for name, needs in needed if needs and name in FIELDS]
        found = gradients(task.system, task.dt, task.substeps, problem, state, sensitivity, wanted)
        return None, None, None, None, None, *(found.get(name) for name in Problem._fields)


_NO_SPHERES = Spheres(torch.zeros(0, 3), 0.0)


def _parameters(task: Task, given: Mapping[str, Tensor], batch: int) -> Tensor:
    """The model's parameters (1|B, P), those named in `given` (each () or (B,)) replaced."""
    for name in given:
        if name not in task.system.parameters:
            raise UnknownNameError("model parameter", name, task.system.parameters)
    rows = batch if any(v.ndim for v in given.values()) else 1
    values = {**task.system.parameters, **given}
    columns = [torch.as_tensor(v, dtype=torch.float64).expand(rows) for v in values.values()]
    return torch.stack(columns, 1)


def _choice(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"{name}: expected one of {', '.join(known)}, got '{value}'")
    return value


def _backend(name: str, task: Task, horizon: int) -> Any:
    if name == "native":
        return NativeBackend(task.system, horizon, task.dt, task.substeps)
    from deqmpc_core.mpc.augmented_lagrangian import TorchBackend

    return TorchBackend(task.system, horizon, task.dt, task.substeps)
