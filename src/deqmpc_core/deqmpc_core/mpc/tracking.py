"""TrackingSolver: the differentiable MPC layer (Eqs. 5, 11, 12, Algorithm 1)."""

from typing import Any

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc.native import NativeBackend
from deqmpc_core.mpc.problem import Problem, per_knot, require, spheres_data
from deqmpc_core.mpc.schedule import Schedule
from deqmpc_core.mpc.warm_start import cold_start, shift
from deqmpc_core.tasks.task import Task
from deqmpc_core.types import Solution, SolveInfo, SolverState, Spheres

_TO_TOLERANCE = 40  # augmented-Lagrangian iterations at most when al_iterations is None


class TrackingSolver:
    """Tracks waypoints under the task's dynamics, control limits and spheres.

    task: robot, interval, weights, limits, spheres. horizon: T. adjoint: "gauss_newton" (Eq. 12).
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
        self._adjoint = _choice("adjoint", adjoint, ("gauss_newton",))
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
        return cold_start(x0, self.task.control_reference, count, self.horizon, penalty)

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
        return Problem(
            x0, require("reference", reference, (batch, horizon, task.n)),
            per_knot("state_weight", wx, batch, horizon, task.n),
            per_knot("control_weight", wu, batch, horizon, task.m),
            per_knot("control_reference", task.control_reference, batch, horizon, task.m),
            require("u_lo", lo[None] if lo.ndim == 1 else lo, (None, task.m)),
            require("u_hi", hi[None] if hi.ndim == 1 else hi, (None, task.m)),
            centers, radius,
            torch.tensor([list(task.system.parameters.values())], dtype=torch.float64),
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
                self._backend, problem[1:], state, numbers[:, 4], problem.x0, *problem[1:4]
            )
        return Solution(x, u, status, info, state)

    def _check_state(self, state: SolverState, problem: Problem) -> None:
        batch, horizon, n, m = problem.x0.shape[0], self.horizon, self.task.n, self.task.m
        widths = (n, m, n, 2 * m, problem.radius.shape[1])
        for name, value, width in zip(SolverState._fields, state[:5], widths, strict=False):
            steps = horizon + 1 if name == "x" else horizon
            require(f"warm.{name}", value, (batch, steps, width))


class _Implicit(torch.autograd.Function):
    """Eq. 12 as autograd sees it: gradients to x0, reference, state and control weights."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, backend: Any, rest: tuple[Tensor, ...], state: SolverState, penalty: Tensor,
        x0: Tensor, reference: Tensor, state_weight: Tensor, control_weight: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        ctx.backend, ctx.state, ctx.penalty = backend, state, penalty
        ctx.problem = Problem(x0.detach(), *(v.detach() for v in rest))
        return state.x.clone(), state.u.clone()

    @staticmethod
    def backward(ctx: Any, seed_x: Tensor, seed_u: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        problem: Problem = ctx.problem
        sx, su, gx0 = ctx.backend.adjoint(problem, ctx.state, ctx.penalty, seed_x, seed_u)
        g_wx = -sx * (ctx.state.x[:, 1:] - problem.reference)
        g_wu = -su * (ctx.state.u - problem.control_reference)
        shared = (problem.state_weight.shape[0] == 1, problem.control_weight.shape[0] == 1)
        g_wx = g_wx.sum(0, keepdim=True) if shared[0] else g_wx
        g_wu = g_wu.sum(0, keepdim=True) if shared[1] else g_wu
        return None, None, None, None, gx0, problem.state_weight * sx, g_wx, g_wu


_NO_SPHERES = Spheres(torch.zeros(0, 3), 0.0)


def _choice(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ConfigError(f"{name}: expected one of {', '.join(known)}, got '{value}'")
    return value


def _backend(name: str, task: Task, horizon: int) -> Any:
    if name == "native":
        return NativeBackend(task.system, horizon, task.dt, task.substeps)
    from deqmpc_core.mpc.augmented_lagrangian import TorchBackend

    return TorchBackend(task.system, horizon, task.dt, task.substeps)
