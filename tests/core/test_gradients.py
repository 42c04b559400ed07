"""Both adjoints of the solver against central finite differences, for every datum of the problem."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from deqmpc_core.mpc import SolverState, Spheres, TrackingSolver
from deqmpc_core.mpc.augmented_lagrangian import TorchBackend
from deqmpc_core.mpc.gradients import gradients
from deqmpc_core.mpc.lagrangian import named_parameters
from deqmpc_core.mpc.problem import Problem
from deqmpc_core.systems import System
from deqmpc_core.tasks import Task, load_task

SAMPLES, HORIZON, STEP, BARRIER = 3, 4, 2e-7, 1e-2
FIELDS = (
    "x0", "reference", "state_weight", "control_weight", "control_reference", "center", "radius",
    "parameters",
)  # fmt: skip
EXACT, GAUSS_NEWTON = 1e-6, 0.5  # relative errors
SLOW = [("qpole", "torch"), *((name, "native") for name in ("qpole", "crazyflie", "cartpole"))]  # to compile
Values = dict[str, Tensor]


class Case(NamedTuple):
    """Options of a task; half the width of its control limits; the state with an active upper bound; how far
    the reference pulls that state and its coordinate (negative every other sample); mu_max."""

    options: dict[str, object]
    width: float
    bounded: str
    pull: float
    penalty: float = 1e5


CASES = {
    "pendulum": Case({}, 2.0, "thetadot", 0.5),
    "cartpole": Case({"control_weight": (1e-5,)}, 20.0, "thetadot", 0.5, 1e4),
    "qpole": Case({"control_weight": (1e-2,) * 4}, 0.05, "vz", 0.05),
    "crazyflie": Case({"control_weight": (10.0,) * 4}, 0.01, "vz", 0.1, 1e6),
}


def make_solver(name: str, backend: str, adjoint: str) -> TrackingSolver:
    task = load_task(name, **CASES[name].options)
    substeps = 1 if task.n > 4 else 2
    system = task.system.bounded(**{CASES[name].bounded: (-99.0, 99.0)})
    task = replace(task, substeps=substeps, system=system, spheres=None)
    # A step moves every active constraint by less than lambda / mu: the first iterate keeps its active set.
    return TrackingSolver(
        task, HORIZON, backend=backend, adjoint=adjoint, penalty_max=CASES[name].penalty, safety_margin=0.0
    )


def data(solver: TrackingSolver, case: Case) -> tuple[Values, tuple[Tensor, Tensor]]:
    """What the solver differentiates (a leading 1: shared by the samples), and control limits.

    Limits, state bound and a sphere below leave a little room around a flight that exists; the reference
    pulls out of it.
    """
    task, bounded = solver.task, solver.task.system.states.index(case.bounded)
    generator = torch.Generator().manual_seed(5)

    def noise(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5

    x = [task.goal + 0.2 * noise(SAMPLES, task.n)]
    for u in (task.control_reference + case.width * noise(HORIZON, SAMPLES, task.m)).unbind(0):
        x.append(task.system.rk4(x[-1], u, task.dt, task.substeps))
    flight = torch.stack(x[1:], 1)
    reference = flight + 0.02 * noise(*flight.shape)
    sign = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)[:, None]
    for i in (bounded, 2 if task.system.position == 0 else bounded - task.system.configuration):
        reference[..., i] += case.pull * sign
    parameters = torch.tensor([list(task.system.parameters.values())], dtype=torch.float64).repeat(SAMPLES, 1)
    parameters[:, -1] = flight[..., bounded].amax(1) + 0.1 * case.pull
    values = {
        "x0": x[0],
        "reference": reference,
        "state_weight": task.state_weight[None, None],
        "control_weight": task.control_weight.expand(SAMPLES, HORIZON, task.m).clone(),
        "control_reference": task.control_reference.expand(1, HORIZON, task.m).clone(),
        "parameters": parameters,
    }
    if task.system.position is not None:
        lowest = flight[range(SAMPLES), flight[..., 2].argmin(1), None, :3]
        below = lowest - torch.tensor([0.02, 0.01, 0.2], dtype=torch.float64)
        values |= {"center": below, "radius": torch.full((1, 1), 0.2, dtype=torch.float64)}
    hover = task.control_reference[None]
    return values, (hover - case.width, hover + case.width)


def solve(solver: TrackingSolver, values: Values, limits, iterations: int, warm):  # noqa: ANN001, ANN201
    names = solver.task.system.parameters
    spheres = Spheres(values["center"], values["radius"]) if "center" in values else None
    return solver(
        values["x0"], values["reference"], warm=warm, al_iterations=iterations, spheres=spheres,
        state_weight=values["state_weight"], control_weight=values["control_weight"],
        control_reference=values["control_reference"], limits=limits,
        parameters=dict(zip(names, values["parameters"].unbind(1), strict=True)),
    )  # fmt: skip


def converged(solver: TrackingSolver, values: Values, limits):  # noqa: ANN001, ANN201
    spheres = Spheres(values["center"], values["radius"]) if "center" in values else None
    return solve(solver, values, limits, 22, solver.initial_state(values["x0"], 8, spheres)).state


class Slopes(NamedTuple):
    """Slope of a random loss along a random direction of each field: by finite differences, by adjoint."""

    expected: dict[str, float]
    found: dict[tuple[str, str], float]


@cache
def slopes(name: str, backend: str) -> Slopes:
    solvers = {mode: make_solver(name, backend, mode) for mode in ("exact", "gauss_newton")}
    solver = solvers["exact"]
    values, limits = data(solver, CASES[name])
    generator = torch.Generator().manual_seed(9)

    def noise(shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    relative = {"state_weight": 30.0, "control_weight": 30.0, "parameters": 1.0}
    size = {k: relative[k] * v.abs() if k in relative else torch.ones(()) for k, v in values.items()}
    directions = {k: noise(v.shape) * size[k] for k, v in values.items()}
    base = converged(solver, values, limits)
    for kind in (base.box, base.inequality, *([base.sphere] if "center" in values else [])):
        assert (kind > 0).any(), "the case has lost its active constraints"
    seed_x, seed_u = noise(base.x.shape), noise(base.u.shape)
    expected = finite_differences(solver, values, directions, limits, base, (seed_x, seed_u))
    found = {}
    for mode, each in solvers.items():
        leaves = {k: v.clone().requires_grad_() for k, v in values.items()}
        solution = solve(each, leaves, limits, 1, base)
        ((solution.x * seed_x).sum() + (solution.u * seed_u).sum()).backward()
        found |= {(mode, k): float((_gradient(v) * directions[k]).sum()) for k, v in leaves.items()}
    return Slopes(expected, found)


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def finite_differences(solver, values: Values, directions: Values, limits, base, seeds) -> dict[str, float]:  # noqa: ANN001
    """All perturbed problems as one batch, from the unperturbed solution."""
    variants = [(k, sign) for k in values for sign in (1.0, -1.0)]
    batch: dict[str, list[Tensor]] = {k: [] for k in values}
    for field, sign in variants:
        for k, v in values.items():
            moved = v + sign * STEP * directions[k] if k == field else v
            batch[k].append(moved.expand(SAMPLES, *v.shape[1:]))
    warm = type(base)(*(v.repeat(len(variants), *[1] * (v.ndim - 1)) for v in base))
    solution = solve(solver, {k: torch.cat(v) for k, v in batch.items()}, limits, 9, warm)
    pairs = zip(solution[:2], seeds, strict=True)
    parts = [(v.unflatten(0, (-1, SAMPLES)) * s).sum((1, 2, 3)) for v, s in pairs]
    loss = parts[0] + parts[1]
    rise = (loss[0::2] - loss[1::2]) / (2.0 * STEP)
    return dict(zip(values, rise.tolist(), strict=True))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("mode", ["exact", "gauss_newton"])
@pytest.mark.parametrize(
    ("name", "backend"),
    [
        pytest.param(k, b, marks=[pytest.mark.slow] if (k, b) in SLOW else [])
        for k in CASES
        for b in ("torch", "native")
    ],
)
def test_slopes_equal_finite_differences(backend: str, name: str, mode: str, field: str) -> None:
    """At convergence, with active controls, spheres and state bounds."""
    expected, found = slopes(name, backend)
    if field not in expected:
        pytest.skip("no position, no spheres")
    error = abs(found[mode, field] / expected[field] - 1.0)
    assert error < (EXACT if mode == "exact" else GAUSS_NEWTON)


def smoothed(solver, values: Values, limits, guess: Tensor, steps: int):  # noqa: ANN001, ANN201
    """Oracle: dense single-shooting Newton on cost - BARRIER * sum log(-h): x, u, box and h multipliers."""
    system, task = solver.task.system, solver.task
    named = {k: v[:, None] for k, v in zip(system.parameters, values["parameters"].unbind(1), strict=True)}

    def parts(u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = [values["x0"]]
        for t in range(HORIZON):
            x.append(system.rk4(x[t][:, None], u[:, t, None], task.dt, task.substeps, named)[:, 0])
        states = torch.stack(x[1:], 1)
        box = torch.cat([limits[0][:, None] - u, u - limits[1][:, None]], -1)
        inequality = system.inequality(states, named)
        cost = 0.5 * (values["state_weight"] * (states - values["reference"]).square()).sum()
        cost = cost + 0.5 * (values["control_weight"] * (u - values["control_reference"]).square()).sum()
        return cost - BARRIER * torch.log(-torch.cat([box, inequality], -1)).sum(), states, box, inequality

    u = guess.clone()
    for _ in range(steps):
        u.requires_grad_()
        value, *_ = parts(u)
        (slope,) = torch.autograd.grad(value, u, create_graph=True)
        rows = [torch.autograd.grad(g, u, retain_graph=True)[0].flatten() for g in slope.flatten()]
        step = -torch.linalg.solve(torch.stack(rows), slope.detach().flatten()).view_as(u)
        scale = 1.0
        while not (parts(u.detach() + scale * step)[0] <= value.detach() + 1e-12):
            scale *= 0.5
        u = u.detach() + scale * step
    _, states, box, inequality = parts(u)
    return torch.cat([values["x0"][:, None], states], 1), u, -BARRIER / box, -BARRIER / inequality


def costates(
    problem: Problem, system: System, task: Task, x: Tensor, u: Tensor, inequality: Tensor
) -> Tensor:
    """eta_t = dL/dx_{t+1}, carried back by F_x."""
    named = named_parameters(system, problem.parameters)
    _, jx, _ = system.rk4_jacobian(x[:, :-1], u, task.dt, task.substeps, named)
    own = system.inequality_jacobian(x[:, 1:], named).mT @ inequality[..., None]
    gx = problem.state_weight * (x[:, 1:] - problem.reference) + own[..., 0]
    eta = [gx[:, -1]]
    for t in reversed(range(1, HORIZON)):
        eta.append(gx[:, t - 1] + (jx[:, t].mT @ eta[-1][..., None])[..., 0])
    return torch.stack(eta[::-1], 1)


def test_barrier_adjoint_is_exact_for_the_smoothed_problem() -> None:
    """An interior point stops at a positive barrier: the slope is that of the problem it then solves."""
    solver = make_solver("pendulum", "torch", "exact")
    values, limits = data(solver, CASES["pendulum"])
    task, system = solver.task, solver.task.system
    inside = 0.98 * converged(solver, values, limits).u
    x, u, box, inequality = smoothed(solver, values, limits, inside, 12)
    problem = solver.problem(
        values["x0"], values["reference"], state_weight=values["state_weight"], limits=limits,
        control_weight=values["control_weight"], control_reference=values["control_reference"],
        parameters=dict(zip(system.parameters, values["parameters"].unbind(1), strict=True)),
    )  # fmt: skip
    tau = torch.full((SAMPLES,), BARRIER, dtype=torch.float64)
    eta = costates(problem, system, task, x, u, inequality)
    state = SolverState(x, u, eta, box, x.new_zeros(SAMPLES, HORIZON, 0), inequality, tau)
    generator = torch.Generator().manual_seed(2)
    seeds = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in (x, u)]
    backend = TorchBackend(system, HORIZON, task.dt, task.substeps)
    sensitivity = backend.adjoint(problem, state, tau, *seeds, exact=True, barrier=True)
    assert sensitivity.ok.all()
    found = gradients(system, task.dt, task.substeps, problem, state, sensitivity, values)
    directions = {k: v.abs() * torch.randn(v.shape, generator=generator) for k, v in values.items()}
    losses = []
    for sign in (1e-6, -1e-6):
        moved = {k: v + sign * directions[k] for k, v in values.items()}
        pairs = zip(smoothed(solver, moved, limits, u, 4)[:2], seeds, strict=True)
        losses.append(sum((a * b).sum() for a, b in pairs))
    slope = sum((found[k] * v).sum() for k, v in directions.items())
    assert abs(slope / ((losses[0] - losses[1]) / 2e-6) - 1.0) < EXACT
