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

_TO_TOLERANCE = 40  # augmented-Lagrangian iterations at most when al_iterations is None,
_NEWTON_STEPS = 20  # and Gauss-Newton steps in each of them


class TrackingSolver:
    """Tracks waypoints under the task's dynamics, control limits, inequalities and spheres.

    task: robot, interval, weights, limits, spheres. horizon: T.
    method: "augmented_lagrangian", the paper's MPC-m, or "interior_point", for running to tolerance.
    backend: "native" (float64, CPU) or "torch" (any device and dtype; augmented Lagrangian only).
    adjoint: "exact" (the derivative of a converged solution) or "gauss_newton" (Eq. 12).
    tolerance: largest violation [state units] accepted when a call runs to tolerance.
    penalty_max, growth, newton_steps: mu_max, gamma and Gauss-Newton steps at most in each of `al_iterations`
    augmented-Lagrangian iterations (20 in a call that runs to tolerance).
    starts: first guesses of an interior point, 1 to 4, a warm plan the first; the cheapest feasible solution
    wins.
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
        self.schedule = Schedule(_TO_TOLERANCE, _NEWTON_STEPS, growth, penalty_max, tolerance)
        self.newton_steps = newton_steps
        self.margin = task.safety_margin if safety_margin is None else safety_margin
        self.exact = _choice("adjoint", adjoint, ("gauss_newton", "exact")) == "exact"
        self.method = _choice("method", method, ("augmented_lagrangian", "interior_point"))
        self.native = _choice("backend", backend, ("native", "torch")) == "native"
        if self.method == "interior_point" and not self.native:
            raise ConfigError("method: 'interior_point' needs backend='native', got backend='torch'")
        if not 1 <= starts <= MAX_STARTS:
            raise ConfigError(f"starts: expected 1 to {MAX_STARTS}, got {starts}")
        self.starts = starts
        self._kept: dict[tuple[torch.dtype, torch.device], Problem] = {}
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
        """Validated data of one call; what is not given comes from the task.

        x0 (B, n), reference (B, T, n); state_weight (n,), (T, n), (B, n) or (B, T, n); control_weight and
        control_reference likewise with m; limits: u_lo and u_hi, each (m,) or (B, m); parameters: of the
        robot by name, a number or (B,). Raises ShapeError, UnknownNameError.
        """
        task, horizon = self.task, self.horizon
        x0 = require("x0", x0, (None, task.n), x0 if not self.native else None)
        if self.native and x0.device.type != "cpu":
            raise ShapeError(f"x0: expected a tensor on cpu for backend='native', got one on {x0.device}")
        batch, own = x0.shape[0], self._task_data(x0)
        knots = {
            "state_weight": (state_weight, task.n), "control_weight": (control_weight, task.m),
            "control_reference": (control_reference, task.m),
        }  # fmt: skip
        given: dict[str, Tensor] = {
            name: per_knot(name, value, batch, horizon, width, x0)
            for name, (value, width) in knots.items() if value is not None
        }  # fmt: skip
        if limits is not None:
            pairs = zip(("u_lo", "u_hi"), limits, strict=True)
            given |= {name: per_sample(name, value, batch, task.m, x0) for name, value in pairs}
        if spheres is not None:
            given["centers"], given["radius"] = spheres_data(spheres, self.margin, batch, horizon, x0)
        if parameters:
            given["parameters"] = parameters_data(task, parameters, batch, x0)
        reference = require("reference", reference, (batch, horizon, task.n), x0)
        return own._replace(x0=x0, reference=reference, **given)

    def _task_data(self, like: Tensor) -> Problem:
        """The task's own weights, limits, spheres and parameters, shared by all samples; made once for each
        dtype and device."""
        key = like.dtype, like.device
        if key not in self._kept:
            with torch.inference_mode(False):  # gradients may meet them later
                self._kept[key] = self._make_task_data(like)
        return self._kept[key]

    def _make_task_data(self, like: Tensor) -> Problem:
        task, horizon = self.task, self.horizon
        blank = torch.zeros(1, task.n, dtype=like.dtype, device=like.device)

        def knots(name: str) -> Tensor:
            value = getattr(task, name).to(blank)
            return per_knot(name, value, 1, horizon, value.shape[-1], blank).contiguous()

        def sample(name: str) -> Tensor:
            return per_sample(name, getattr(task, name).to(blank), 1, task.m, blank)

        spheres = task.spheres
        if spheres is not None:
            spheres = Spheres(spheres.center.to(blank), spheres.radius)
        centers, radius = spheres_data(spheres, self.margin, 1, horizon, blank)
        return Problem(
            x0=blank, reference=blank[:, None].expand(1, horizon, task.n),
            state_weight=knots("state_weight"), control_weight=knots("control_weight"),
            control_reference=knots("control_reference"), u_lo=sample("u_lo"), u_hi=sample("u_hi"),
            centers=centers, radius=radius, parameters=parameters_data(task, {}, 1, blank),
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
        return self._solution(problem, *self.backend.solve(problem, warm, self.scheduled(al_iterations)))

    def scheduled(self, al_iterations: int | None) -> Schedule:
        """What a call of the augmented Lagrangian runs: m iterations, or (None) as many as the tolerance
        takes."""
        if al_iterations is None:
            return self.schedule
        steps = self.newton_steps
        return replace(self.schedule, iterations=al_iterations, newton_steps=steps, tolerance=0.0)

    def barrier(self, spheres: int, warm: bool) -> Barrier:
        """The interior point's numbers for so many spheres, from a plan (warm) or from nothing."""
        convex = spheres == 0 and self.task.system.inequalities is None
        return barrier(convex, warm, self.schedule.tolerance)

    def _interior(self, problem: Problem, warm: SolverState | None) -> tuple[SolverState, Tensor, Tensor]:
        """The best of the interior point's starts: the warm plan, if there is one, and cold guesses."""
        count, guesses = problem.radius.shape[1], []
        if warm is not None:
            guesses.append((warm, self.barrier(count, warm=True)))
        if len(guesses) < self.starts:
            numbers = self.barrier(count, warm=False)
            cold = cold_starts(self.task.system, problem, numbers.first, self.starts - len(guesses))
            guesses += [(guess, numbers) for guess in cold]
        best = self.backend.solve_interior(problem, *guesses[0])
        for guess in guesses[1:]:
            best = _better(best, self.backend.solve_interior(problem, *guess))
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
