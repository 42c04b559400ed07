"""The project's own backends and methods as peers, called as any user calls them."""

import itertools

import torch
from torch import Tensor

from deqmpc_core.mpc import SolverState, TrackingSolver
from deqmpc_core.testing import Problems
from deqmpc_train.bench.peer import Peer, Run

_SHORT = {"augmented_lagrangian": "AL", "interior_point": "IP"}


def own(backend: str, method: str, tolerance: float) -> Peer:
    """TrackingSolver run to `tolerance`; plain torch calls, nothing preallocated."""

    def prepare(problems: Problems, mode: str) -> Run:
        adjoint = "exact" if mode == "exact" else "gauss_newton"
        solver = TrackingSolver(
            problems.task, problems.horizon, method=method, backend=backend, adjoint=adjoint,
            tolerance=tolerance,
        )  # fmt: skip
        if backend == "torch":
            load_functions(problems)
        warm = first_state(solver, problems)
        return forward(solver, problems, warm) if mode == "forward" else both(solver, problems, warm)

    return Peer(f"{backend} {_SHORT[method]}", prepare, compiles=backend == "native")


def load_functions(problems: Problems) -> None:
    """Have the robot's symbolic functions made before anything is timed."""
    task, row = problems.task, slice(0, 1)
    task.system.rk4_jacobian(problems.x0[row], problems.guess.u[row, 0], task.dt, task.substeps)


def first_state(solver: TrackingSolver, problems: Problems) -> SolverState | None:
    """The state that starts from the problems' first guess; None where that is cold."""
    if problems.cold:
        return None
    state = solver.initial_state(problems.x0, spheres=problems.spheres)
    state = state._replace(x=problems.guess.x, u=problems.guess.u)
    return solver.shift(state, problems.x0, knots=0.0)


def forward(solver: TrackingSolver, problems: Problems, warm: SolverState | None) -> Run:
    """Solve, without a graph."""

    def run() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            solution = solver(problems.x0, problems.reference, warm=warm, spheres=problems.spheres)
        return solution.x, solution.u

    return run


def bound(solver: TrackingSolver, problems: Problems, warm: bool) -> Run:
    """Problem after problem; a warm one starts from the plan that its predecessor left."""
    arrays = solver.bind(1, problems.spheres_count)
    x0, reference = problems.x0.numpy(), problems.reference.numpy()
    guess_x, guess_u = problems.guess.x.numpy(), problems.guess.u.numpy()
    turn = itertools.count()
    plan = torch.from_numpy(arrays.x), torch.from_numpy(arrays.u)

    def run() -> tuple[Tensor, Tensor]:
        b = next(turn) % problems.batch
        if problems.spheres is not None:
            arrays.centers[...] = problems.spheres.center[b].numpy()
            arrays.radius[...] = torch.as_tensor(problems.spheres.radius)[b].numpy()
        if warm:
            arrays.x[:, 1:], arrays.u[:, 1:] = guess_x[b, :-1], guess_u[b, :-1]
        arrays(x0[b : b + 1], reference[b : b + 1], warm=warm)
        return plan

    return run


def both(solver: TrackingSolver, problems: Problems, warm: SolverState | None) -> Run:
    """Solve, then the gradients of a weighted sum of the plan to start and waypoints."""
    x0, reference = problems.x0.clone().requires_grad_(), problems.reference.clone().requires_grad_()
    seeds = seed_of(problems)

    def run() -> tuple[Tensor, Tensor]:
        solution = solver(x0, reference, warm=warm, spheres=problems.spheres)
        torch.autograd.backward((solution.x, solution.u), seeds, inputs=(x0, reference))
        x0.grad = reference.grad = None
        return solution.x.detach(), solution.u.detach()

    return run


def seed_of(problems: Problems) -> tuple[Tensor, Tensor]:
    """The loss's gradient to x (B, T+1, n) and u (B, T, m): the same random numbers for every peer."""
    generator = torch.Generator().manual_seed(0)
    shapes = (problems.guess.x.shape, problems.guess.u.shape)
    x, u = (torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in shapes)
    return x, u
