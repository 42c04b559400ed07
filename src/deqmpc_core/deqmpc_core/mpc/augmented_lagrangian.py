"""The readable reference of the solver: Algorithm 1 on multiple shooting in plain batched torch, any device
and dtype.

It takes the same decisions in the same order as the native kernels (`kernels/`), sample by sample, so that
both give the same iterates; tests compare them.
"""

import torch
from torch import Tensor

from deqmpc_core.mpc.adjoint import exact_adjoint, gauss_newton_adjoint
from deqmpc_core.mpc.lagrangian import Inequalities, Lagrangian, Multipliers
from deqmpc_core.mpc.problem import Problem
from deqmpc_core.mpc.schedule import Schedule
from deqmpc_core.mpc.sweep import Quadratic, newton_step
from deqmpc_core.systems.system import System
from deqmpc_core.types import Sensitivity, SolverState, Status

_SCALES = 12  # halvings of the line search
_NEGLIGIBLE, _ROUNDING = 1e-14, 1e-9  # relative decreases of the merit, in float64


class TorchBackend:
    """Solves for one system, horizon T and interval dt [s]."""

    def __init__(self, system: System, horizon: int, dt: float, substeps: int) -> None:
        self.system, self.horizon, self.dt, self.substeps = system, horizon, dt, substeps

    @torch.no_grad()
    def solve(
        self, problem: Problem, state: SolverState, schedule: Schedule,
        trace: list[tuple[Tensor, Tensor]] | None = None,
    ) -> tuple[SolverState, Tensor, Tensor]:  # fmt: skip
        """New state, status codes (B,) and info (B, 5): violation, cost, Newton steps, next and last
        penalty.

        trace: a list that gets (x, u) after every augmented-Lagrangian iteration (Figure 10).
        """
        model = self._model(problem)
        accepted, status = _admit(problem, schedule.tolerance > 0)
        keep = accepted[:, None, None]
        x = torch.where(keep, torch.cat([problem.x0[:, None], state.x[:, 1:]], 1), state.x)
        u, duals = state.u, Multipliers(*state[2:])
        last, newton = duals.penalty, torch.zeros_like(duals.penalty)
        violation = torch.full_like(last, torch.inf)
        running = accepted
        for _ in range(schedule.iterations):
            if not running.any():
                break
            x, u, steps, settled = _primal(model, x, u, duals, running, schedule)
            newton = newton + steps
            last = torch.where(running, duals.penalty, last)
            duals, worst = _dual(model, x, u, duals, running, schedule)
            violation = torch.where(running, worst, violation)
            if trace is not None:
                trace.append((x, u))
            if schedule.tolerance > 0:
                done = running & (worst <= schedule.tolerance) & settled
                status = torch.where(done, Status.CONVERGED.code, status)
                running = running & ~done
        cost = torch.where(accepted, model.cost(x, u), 0.0)
        info = torch.stack([violation, cost, newton, duals.penalty, last], -1)
        return SolverState(x, u, duals.dynamics, *duals.inequalities, duals.penalty), status, info

    @torch.no_grad()
    def adjoint(
        self, problem: Problem, state: SolverState, penalty: Tensor, seed_x: Tensor, seed_u: Tensor,
        exact: bool = False, barrier: bool = False,
    ) -> Sensitivity:  # fmt: skip
        """Solution of the adjoint system for a loss with gradient seed_x (B, T+1, n), seed_u (B, T, m).

        exact: the KKT system with the true Hessian, else Eq. 12; barrier: the state is an interior point's
        and `penalty` its barrier. See `adjoint`.
        """
        model = self._model(problem)
        seeds = seed_x.to(state.x), seed_u.to(state.u)
        if exact or barrier:
            return exact_adjoint(model, state, *seeds, curved=exact, barrier=penalty if barrier else None)
        return gauss_newton_adjoint(model, state, penalty, *seeds)

    def _model(self, problem: Problem) -> Lagrangian:
        return Lagrangian(self.system, self.dt, self.substeps, problem)


def _admit(problem: Problem, to_tolerance: bool) -> tuple[Tensor, Tensor]:
    """Which samples have usable data (B,), and every sample's status (B,) before the first
    iteration."""
    batch = problem.x0.shape[0]
    finite = torch.stack([v.isfinite().flatten(1).all(1).expand(batch) for v in problem]).all(0)
    ordered = (problem.u_lo <= problem.u_hi).all(1).expand(batch)
    unsettled = Status.MAX_ITERATIONS if to_tolerance else Status.BUDGET_SPENT
    status = torch.full_like(finite, unsettled.code, dtype=torch.int64)
    status = torch.where(ordered, status, Status.INFEASIBLE_BOUNDS.code)
    return finite & ordered, torch.where(finite, status, Status.NOT_FINITE.code)


def _primal(
    model: Lagrangian, x: Tensor, u: Tensor, duals: Multipliers, running: Tensor, schedule: Schedule
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Up to `newton_steps` damped Gauss-Newton steps, each sample stopping for itself.

    Returns x, u, the steps taken (B,) and whether the sample has settled to the tolerance (B,).
    """
    value = model.merit(x, u, duals)
    negligible, rounding = _decrease_limits(x.dtype)
    damping, steps, largest = (torch.zeros_like(value) for _ in range(3))
    stationary, active = torch.zeros_like(running), running
    for _ in range(schedule.newton_steps):
        steps = steps + active
        dx, du, slope = _direction(model, x, u, duals, damping)
        descent = (slope < 0) & slope.isfinite()
        tiny = descent & (-slope <= negligible * (1.0 + value.abs()))
        stationary = torch.where(active, (slope == 0) | tiny, stationary)
        search = active & descent & ~tiny
        scale, accepted, trial = _line_search(model, x, u, dx, du, duals, value, slope, search)
        # A decrease that the merit cannot resolve ends the search, but its full step is still a Newton step:
        # taken unsearched it brings iterates below the square root of rounding.
        moved = search & accepted | active & tiny
        scaled = scale[:, None, None]
        x = torch.where(moved[:, None, None], x + scaled * dx, x)
        u = torch.where(moved[:, None, None], u + scaled * du, u)
        value = torch.where(search & accepted, trial, value)
        largest = torch.where(moved, (scaled * dx).abs().amax((1, 2)), largest)
        # No progress at the limit of rounding is not a failure.
        stationary = stationary | (search & ~accepted & (-slope <= rounding * (1.0 + value.abs())))
        stuck = active & ~moved
        give_up = stuck & (stationary | (damping > 1e6))
        raised = (damping * 100.0).clamp_min(1e-6)
        lowered = torch.where(damping < 1e-5, 0.0, 0.01 * damping)
        damping = torch.where(moved, lowered, torch.where(stuck, raised, damping))
        active = active & ~(give_up | tiny)
        if not active.any():
            break
    return x, u, steps, stationary | (largest <= schedule.tolerance)


def _decrease_limits(dtype: torch.dtype) -> tuple[float, float]:
    """Relative decreases of the merit below which a step is not worth searching, and one that fails is
    put down to rounding."""
    eps = torch.finfo(dtype).eps
    return max(_NEGLIGIBLE, 8.0 * eps), max(_ROUNDING, 64.0 * eps)


def _direction(
    model: Lagrangian, x: Tensor, u: Tensor, duals: Multipliers, damping: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Damped Gauss-Newton step dx (B, T+1, n), du (B, T, m) and the merit's slope along it (B,)."""
    f, jx, ju = model.linearise(x, u)
    defect, mu = f - x[:, 1:], duals.penalty[:, None, None]
    shifted = model.shifted(x, u, duals)
    hx, hu = model.hessian(x, u, Inequalities(*(mu * (v > 0) for v in shifted)))
    gx, gu = model.gradient(x, u, shifted)
    quadratic = Quadratic(gx, hx, gu, hu)
    dx, du = newton_step(quadratic, jx, ju, defect, duals.dynamics, duals.penalty, damping)
    full = torch.cat([torch.zeros_like(dx[:, :1]), dx], 1)
    change = torch.einsum("btij,btj->bti", jx, full[:, :-1]) + torch.einsum("btij,btj->bti", ju, du) - dx
    force = duals.dynamics + mu * defect
    return full, du, (gx * dx + force * change).sum((1, 2)) + (gu * du).sum((1, 2))


def _line_search(
    model: Lagrangian, x: Tensor, u: Tensor, dx: Tensor, du: Tensor, duals: Multipliers, value: Tensor,
    slope: Tensor, search: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """First scale of 1, 1/2, … that lowers the merit enough (Armijo 1e-4), whether there is one, and the
    merit there; each (B,)."""
    scale, accepted, best = torch.ones_like(value), torch.zeros_like(search), value
    for _ in range(_SCALES):
        searching = search & ~accepted
        if not searching.any():
            break
        trial = model.merit(x + scale[:, None, None] * dx, u + scale[:, None, None] * du, duals)
        good = searching & (trial <= value + 1e-4 * scale * slope)
        best, accepted = torch.where(good, trial, best), accepted | good
        scale = torch.where(searching & ~good, 0.5 * scale, scale)
    return scale, accepted, best


def _dual(
    model: Lagrangian, x: Tensor, u: Tensor, duals: Multipliers, running: Tensor, schedule: Schedule
) -> tuple[Multipliers, Tensor]:
    """Dual update and penalty growth of Algorithm 1 for running samples, and the largest violation (B,)."""
    defect = model.step(x, u) - x[:, 1:]
    mu, keep = duals.penalty, running[:, None, None]
    dynamics = torch.where(keep, duals.dynamics + mu[:, None, None] * defect, duals.dynamics)
    pairs = zip(model.shifted(x, u, duals), duals.inequalities, strict=True)
    inequalities = [torch.where(keep, new.clamp_min(0.0), old) for new, old in pairs]
    grown = (schedule.growth * mu).clamp_max(schedule.penalty_max)
    worst = torch.cat([defect.abs(), model.values(x, u).joined()], -1).amax((1, 2)).clamp_min(0.0)
    return Multipliers(dynamics, *inequalities, penalty=torch.where(running, grown, mu)), worst
