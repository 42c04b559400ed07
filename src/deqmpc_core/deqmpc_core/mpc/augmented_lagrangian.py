"""The readable reference of the solver: Algorithm 1 on multiple shooting in plain batched torch, any device.

It takes the same decisions in the same order as the native kernels (`kernels/`), sample by sample, so that
both give the same iterates; tests compare them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from deqmpc_core.mpc.problem import Problem
from deqmpc_core.mpc.schedule import Schedule
from deqmpc_core.mpc.sweep import Quadratic, newton_step
from deqmpc_core.systems.system import System
from deqmpc_core.types import SolverState, Status

_SCALES = 12  # halvings of the line search


@dataclass
class Multipliers:
    """eta (B, T, n), box (B, T, 2m), sphere (B, T, k) and mu (B,)."""

    dynamics: Tensor
    box: Tensor
    sphere: Tensor
    penalty: Tensor


class TorchBackend:
    """Solves for one system, horizon T and interval dt."""

    def __init__(self, system: System, horizon: int, dt: float, substeps: int) -> None:
        self._system, self._horizon, self._dt, self._substeps = system, horizon, dt, substeps

    def solve(
        self, problem: Problem, state: SolverState, schedule: Schedule
    ) -> tuple[SolverState, Tensor, Tensor]:
        """New state, status codes (B,) and info (B, 5): violation, cost, Newton steps, next and last
        penalty."""
        finite = _finite(problem)
        problem = problem._replace(
            x0=_finite_rows(problem.x0, finite), reference=_finite_rows(problem.reference, finite)
        )
        x, u = torch.cat([problem.x0[:, None], state.x[:, 1:]], 1), state.u.clone()
        duals = Multipliers(*(v.clone() for v in state[2:]))
        last = duals.penalty.clone()
        tolerance = schedule.tolerance
        status = torch.full_like(
            last, (Status.MAX_ITERATIONS if tolerance > 0 else Status.BUDGET_SPENT).code
        ).long()
        newton, violation = torch.zeros_like(last), torch.full_like(last, torch.inf)
        running = finite.clone()
        for _ in range(schedule.iterations):
            x, u, steps, settled = self._primal(problem, x, u, duals, running, schedule)
            newton += torch.where(running, steps, 0.0)
            last = torch.where(running, duals.penalty, last)
            violation = torch.where(running, self._dual(problem, x, u, duals, running), violation)
            grown = (schedule.growth * duals.penalty).clamp_max(schedule.penalty_max)
            duals.penalty = torch.where(running, grown, duals.penalty)
            if tolerance > 0:
                done = running & (violation <= tolerance) & settled(tolerance)
                status[done] = Status.CONVERGED.code
                running = running & ~done
                if not running.any():
                    break
        status[~finite] = Status.NOT_FINITE.code
        x = torch.where(finite[:, None, None], x, state.x)
        info = torch.stack([violation, _cost(problem, x, u), newton, duals.penalty, last], -1)
        return SolverState(x, u, duals.dynamics, duals.box, duals.sphere, duals.penalty), status, info

    def adjoint(
        self, problem: Problem, state: SolverState, penalty: Tensor, seed_x: Tensor, seed_u: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Eq. 12: s_x (B, T, n), s_u (B, T, m) with H s = seed, and the gradient to x0 (B, n)."""
        zero = torch.zeros_like(seed_x[:, 1:])
        _, jx, ju = self._linearise(state.x, state.u)
        quadratic = self._quadratic(problem, state.x, state.u, state.box > 0, state.sphere > 0, penalty)
        quadratic = quadratic._replace(gx=-seed_x[:, 1:], gu=-seed_u)
        sx, su = newton_step(quadratic, jx, ju, zero, zero, penalty, torch.zeros_like(penalty))
        change = torch.einsum("bij,bj->bi", ju[:, 0], su[:, 0]) - sx[:, 0]
        gx0 = seed_x[:, 0] - penalty[:, None] * torch.einsum("bij,bi->bj", jx[:, 0], change)
        return sx, su, gx0

    def _primal(
        self, problem: Problem, x: Tensor, u: Tensor, duals: Multipliers, running: Tensor, schedule: Schedule
    ):  # noqa: ANN202
        """Up to `newton_steps` damped Gauss-Newton steps; each sample stops for itself."""
        value = self._merit(problem, x, u, duals)
        damping, steps, largest = (torch.zeros_like(value) for _ in range(3))
        stationary = torch.zeros_like(running)
        active = running.clone()
        for _ in range(schedule.newton_steps):
            steps += active
            f, jx, ju = self._linearise(x, u)
            defect = f - x[:, 1:]
            low, high, sphere = self._shifted(problem, x, u, duals)
            box = torch.cat([low, high], -1) > 0
            quadratic = self._quadratic(problem, x, u, box, sphere > 0, duals.penalty)
            quadratic = self._gradient(quadratic, problem, x, u, low, high, sphere)
            dx, du = newton_step(quadratic, jx, ju, defect, duals.dynamics, duals.penalty, damping)
            slope = _slope(quadratic, jx, ju, defect, duals, dx, du)
            tiny = -slope <= 1e-14 * (1.0 + value.abs())
            descent = (slope < 0) & slope.isfinite()
            stationary = torch.where(active, (slope == 0) | (descent & tiny), stationary)
            search = active & descent & ~tiny
            scale, accepted, trial = self._line_search(problem, x, u, dx, du, duals, value, slope, search)
            moved = search & accepted
            x = torch.where(
                moved[:, None, None],
                x + scale[:, None, None] * torch.cat([torch.zeros_like(dx[:, :1]), dx], 1),
                x,
            )
            u = torch.where(moved[:, None, None], u + scale[:, None, None] * du, u)
            value = torch.where(moved, trial, value)
            largest = torch.where(moved, (scale[:, None, None] * dx).abs().amax((1, 2)), largest)
            at_rounding = search & ~accepted & (-slope <= 1e-9 * (1.0 + value.abs()))
            stationary = stationary | at_rounding
            stuck = active & ~moved
            give_up = stuck & (stationary | (damping > 1e6))
            raised = torch.where(damping * 100.0 > 1e-6, damping * 100.0, 1e-6)
            lowered = torch.where(damping < 1e-5, 0.0, 0.01 * damping)
            damping = torch.where(moved, lowered, torch.where(stuck, raised, damping))
            active = active & ~give_up
            if not active.any():
                break
        return x, u, steps, lambda tolerance: stationary | (largest <= tolerance)

    def _line_search(self, problem, x, u, dx, du, duals, value, slope, search):  # noqa: ANN001, ANN202
        """First scale of 1, 1/2, … that lowers the merit enough (Armijo 1e-4), per sample."""
        scale = torch.ones_like(value)
        accepted, best = torch.zeros_like(search), value.clone()
        full = torch.cat([torch.zeros_like(dx[:, :1]), dx], 1)
        for _ in range(_SCALES):
            open_ = search & ~accepted
            if not open_.any():
                break
            trial = self._merit(
                problem, x + scale[:, None, None] * full, u + scale[:, None, None] * du, duals
            )
            good = open_ & (trial <= value + 1e-4 * scale * slope)
            best, accepted = torch.where(good, trial, best), accepted | good
            scale = torch.where(search & ~accepted, 0.5 * scale, scale)
        return scale, accepted, best

    def _merit(self, problem: Problem, x: Tensor, u: Tensor, duals: Multipliers) -> Tensor:
        """The augmented Lagrangian (Eq. 11) in its shifted form, (B,)."""
        mu = duals.penalty
        defect = self._step(x[:, :-1], u) - x[:, 1:]
        low, high, sphere = (v.clamp_min(0.0) for v in self._shifted(problem, x, u, duals))
        value = _cost(problem, x, u)
        value = value + (duals.dynamics * defect + 0.5 * mu[:, None, None] * defect.square()).sum((1, 2))
        new = torch.cat([low, high, sphere], -1).square().sum((1, 2))
        old = torch.cat([duals.box, duals.sphere], -1).square().sum((1, 2))
        return value + 0.5 / mu * (new - old)

    def _shifted(
        self, problem: Problem, x: Tensor, u: Tensor, duals: Multipliers
    ) -> tuple[Tensor, Tensor, Tensor]:
        """lambda + mu h of the lower box, the upper box (B, T, m) and the spheres (B, T, k)."""
        mu, m = duals.penalty[:, None, None], u.shape[-1]
        low = duals.box[..., :m] + mu * (problem.u_lo[:, None] - u)
        high = duals.box[..., m:] + mu * (u - problem.u_hi[:, None])
        return low, high, duals.sphere + mu * self._sphere_values(problem, x)

    def _offsets(self, problem: Problem, x: Tensor) -> Tensor:
        """Position minus centre, (B, T, k, 3)."""
        if self._system.position is None:
            return x.new_zeros(x.shape[0], self._horizon, 0, 3)
        place = x[:, 1:, self._system.position : self._system.position + 3]
        return place[:, :, None] - problem.centers

    def _sphere_values(self, problem: Problem, x: Tensor) -> Tensor:
        return problem.radius[:, None].square() - self._offsets(problem, x).square().sum(-1)

    def _quadratic(
        self, problem: Problem, x: Tensor, u: Tensor, box: Tensor, sphere: Tensor, mu: Tensor
    ) -> Quadratic:
        """Gauss-Newton Hessian of cost and active constraints; the gradient is left zero."""
        batch, n, m = x.shape[0], x.shape[2], u.shape[2]
        hx = torch.diag_embed(problem.state_weight.expand(batch, -1, -1))
        if sphere.shape[-1]:
            normals = -2.0 * self._offsets(problem, x) * sphere[..., None]
            place = slice(self._system.position, (self._system.position or 0) + 3)
            hx[:, :, place, place] += mu[:, None, None, None] * normals.transpose(-1, -2) @ normals
        count = box[..., :m].to(x) + box[..., m:].to(x)
        hu = torch.diag_embed(problem.control_weight + mu[:, None, None] * count)
        return Quadratic(x.new_zeros(batch, self._horizon, n), hx, u.new_zeros(batch, self._horizon, m), hu)

    def _gradient(self, quadratic, problem, x, u, low, high, sphere) -> Quadratic:  # noqa: ANN001
        """The quadratic with the gradient of cost, box and spheres."""
        gx = problem.state_weight * (x[:, 1:] - problem.reference)
        if sphere.shape[-1]:
            place = slice(self._system.position, (self._system.position or 0) + 3)
            gx[..., place] += (-2.0 * sphere.clamp_min(0.0)[..., None] * self._offsets(problem, x)).sum(2)
        gu = (
            problem.control_weight * (u - problem.control_reference)
            - low.clamp_min(0.0)
            + high.clamp_min(0.0)
        )
        return quadratic._replace(gx=gx, gu=gu)

    def _dual(self, problem: Problem, x: Tensor, u: Tensor, duals: Multipliers, running: Tensor) -> Tensor:
        """Dual update of Algorithm 1 in place for running samples; returns the largest violation (B,)."""
        defect = self._step(x[:, :-1], u) - x[:, 1:]
        low, high, sphere = self._shifted(problem, x, u, duals)
        keep = running[:, None, None]
        box = torch.cat([low, high], -1).clamp_min(0.0)
        duals.box = torch.where(keep, box, duals.box)
        duals.sphere = torch.where(keep, sphere.clamp_min(0.0), duals.sphere)
        duals.dynamics = torch.where(
            keep, duals.dynamics + duals.penalty[:, None, None] * defect, duals.dynamics
        )
        values = torch.cat(
            [
                defect.abs(),
                problem.u_lo[:, None] - u,
                u - problem.u_hi[:, None],
                self._sphere_values(problem, x),
            ],
            -1,
        )
        return values.amax((1, 2)).clamp_min(0.0)

    def _step(self, x: Tensor, u: Tensor) -> Tensor:
        return self._system.rk4(x, u, self._dt, self._substeps)

    def _linearise(self, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Successors (B, T, n) and their Jacobians (B, T, n, n), (B, T, n, m)."""
        x, u = x[:, :-1], u
        with torch.enable_grad():
            jx, ju = torch.func.vmap(torch.func.jacrev(self._step, argnums=(0, 1)))(
                x.reshape(-1, x.shape[-1]).detach(), u.reshape(-1, u.shape[-1]).detach()
            )
        shape = x.shape[:2]
        return self._step(x, u), jx.reshape(*shape, *jx.shape[1:]), ju.reshape(*shape, *ju.shape[1:])


def _cost(problem: Problem, x: Tensor, u: Tensor) -> Tensor:
    """Eq. 5, (B,)."""
    states = problem.state_weight * (x[:, 1:] - problem.reference).square()
    controls = problem.control_weight * (u - problem.control_reference).square()
    return 0.5 * states.sum((1, 2)) + 0.5 * controls.sum((1, 2))


def _slope(
    quadratic: Quadratic, jx: Tensor, ju: Tensor, defect: Tensor, duals: Multipliers, dx: Tensor, du: Tensor
) -> Tensor:
    """Directional derivative of the augmented Lagrangian, (B,)."""
    before = torch.cat([torch.zeros_like(dx[:, :1]), dx[:, :-1]], 1)
    change = torch.einsum("btij,btj->bti", jx, before) + torch.einsum("btij,btj->bti", ju, du) - dx
    force = duals.dynamics + duals.penalty[:, None, None] * defect
    return (quadratic.gx * dx + force * change).sum((1, 2)) + (quadratic.gu * du).sum((1, 2))


def _finite(problem: Problem) -> Tensor:
    batch = problem.x0.shape[0]
    checks = [v.isfinite().flatten(1).all(1).expand(batch) for v in problem[:4]]
    return torch.stack(checks).all(0)


def _finite_rows(value: Tensor, finite: Tensor) -> Tensor:
    return torch.where(finite.reshape(-1, *([1] * (value.ndim - 1))), value, torch.zeros_like(value))
