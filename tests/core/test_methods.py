"""Both methods on small robots: each other's answers, bound arrays, refusals."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc import SolverState, Spheres, Status, TrackingSolver
from deqmpc_core.tasks import load_task

METHODS = ("augmented_lagrangian", "interior_point")


def swing(count: int = 24) -> tuple[Tensor, Tensor]:
    """Pendulums anywhere and waypoints a little further up; torque limits are active in many."""
    generator = torch.Generator().manual_seed(4)
    x0 = (torch.rand(count, 2, generator=generator, dtype=torch.float64) - 0.5) * torch.tensor([6.0, 2.0])
    share = torch.linspace(0.9, 0.4, 5, dtype=torch.float64)[:, None]
    return x0, x0[:, None] * share


def solver(method: str, **options: object) -> TrackingSolver:
    return TrackingSolver(load_task("pendulum"), method=method, **options)  # type: ignore[arg-type]


def test_both_methods_find_the_same_minimum() -> None:
    x0, reference = swing()
    a, b = (solver(m)(x0, reference) for m in METHODS)
    assert (b.status == Status.CONVERGED.code).all()
    done = a.status == Status.CONVERGED.code
    assert done.double().mean() > 0.7
    assert ((5.0 - b.u[done].abs()) < 1e-3).any(), "no limit is active: the problems are too easy"
    # The interior point stops at a barrier of 1e-5, the augmented Lagrangian at a violation of 5e-5.
    assert (a.u - b.u)[done].abs().max() < 1e-2
    assert (a.info.cost / b.info.cost - 1.0)[done].abs().max() < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_bound_arrays_give_what_the_plain_call_gives(method: str) -> None:
    x0, reference = swing(3)
    plain = solver(method)
    bound = plain.bind(3)
    cold = plain(x0, reference)
    x, u = bound(x0, reference.numpy())
    assert np.array_equal(x, cold.x) and np.array_equal(u, cold.u)
    assert np.array_equal(bound.status, cold.status)
    moved = cold.x[:, 1].clone()
    moved[0, 0] += 2.0 * torch.pi  # the same angle, a turn on
    warm = plain(moved, reference, warm=plain.shift(cold.state, moved, al_iterations=2))
    x, u = bound(moved, reference, warm=True)
    assert np.allclose(x, warm.x, atol=1e-9) and np.allclose(u, warm.u, atol=1e-9)
    with pytest.raises(ShapeError, match=r"x0 \(3, 2\) and reference \(3, 5, 2\), got \(2, 2\)"):
        bound(x0[:2], reference)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("method", METHODS)
def test_a_bad_sample_is_a_status_and_leaves_its_neighbours_alone(method: str, backend: str) -> None:
    if (method, backend) == ("interior_point", "torch"):
        with pytest.raises(ConfigError, match="needs backend='native'"):
            solver(method, backend=backend)
        return
    x0, reference = swing(4)
    good = solver(method, backend=backend)(x0, reference)
    x0, low = x0.clone(), torch.full((4, 1), -5.0, dtype=torch.float64)
    x0[1, 0] = torch.nan
    low[2] = 6.0
    reference = reference.clone()
    reference[3, 2, 1] = torch.inf
    mixed = solver(method, backend=backend)(x0, reference, limits=(low, torch.full_like(low, 5.0)))
    refused = [Status.NOT_FINITE.code, Status.INFEASIBLE_BOUNDS.code, Status.NOT_FINITE.code]
    assert mixed.status[1:].tolist() == refused
    assert torch.equal(mixed.x[0], good.x[0])
    assert mixed.x[2:].isfinite().all() and mixed.u.isfinite().all()


def test_samples_in_lanes_are_solved_as_samples_alone() -> None:
    """45 samples fill and refill the lanes of one kernel, pieces of 15 go through the other."""
    x0, reference = swing(45)
    low, high = torch.full((45, 1), -5.0, dtype=torch.float64), torch.full((45, 1), 5.0, dtype=torch.float64)
    low[3], high[5] = -torch.inf, torch.inf
    low[7], x0[11, 0], reference[44, 4, 1] = 6.0, torch.nan, torch.inf
    interior = solver("interior_point")

    def solve(rows: Tensor) -> tuple[Tensor, ...]:
        solution = interior(x0[rows], reference[rows], limits=(low[rows], high[rows]))
        return solution.x, solution.u, solution.state.dynamics, solution.state.box, solution.status

    every = torch.arange(45)
    whole = solve(every)
    assert (whole[-1] == Status.CONVERGED.code).sum() == 42
    refused = [Status.INFEASIBLE_BOUNDS.code, Status.NOT_FINITE.code, Status.NOT_FINITE.code]
    assert whole[-1][[7, 11, 44]].tolist() == refused
    pieces = [solve(rows) for rows in every.split(15)]
    good = whole[-1] == Status.CONVERGED.code
    for a, b in zip(whole, (torch.cat(column) for column in zip(*pieces, strict=True)), strict=True):
        assert torch.equal(a, b) if a.ndim == 1 else (a - b)[good].abs().max() <= 1e-10
    order = torch.randperm(45, generator=torch.Generator().manual_seed(5))
    for a, b in zip(whole, solve(order), strict=True):
        assert torch.equal(torch.nan_to_num(a[order]), torch.nan_to_num(b)), "a lane saw its neighbour"


def test_adjoints_of_samples_in_lanes_are_those_of_the_reference() -> None:
    """Eq. 12 under the barrier; a sample with a number that is not finite gets none and harms nobody."""
    x0, reference = swing(45)
    low, high = torch.full((45, 1), -5.0, dtype=torch.float64), torch.full((45, 1), 5.0, dtype=torch.float64)
    low[3], high[5] = -torch.inf, torch.inf
    interior, plain = solver("interior_point"), solver("augmented_lagrangian", backend="torch")
    state = interior(x0, reference, limits=(low, high)).state
    generator = torch.Generator().manual_seed(6)
    seed_x, seed_u = (torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in state[:2])
    state.x[11, 0, 0], seed_x[20, 3, 1], state.box[22, 1, 0] = torch.nan, torch.inf, torch.nan

    def adjoint(backend: Any, rows: Tensor) -> list[Tensor]:
        problem = plain.problem(x0[rows], reference[rows], limits=(low[rows], high[rows]))
        given = SolverState(*(v[rows] for v in state)), torch.full((len(rows),), 1e-3, dtype=torch.float64)
        found = backend.adjoint(problem, *given, seed_x[rows], seed_u[rows], barrier=True)
        return [found.x, found.u, found.dynamics, found.x0, found.ok]

    whole = adjoint(interior.backend, torch.arange(45))
    assert (~whole[-1]).nonzero().flatten().tolist() == [11, 20, 22]
    for a, b in zip(whole, adjoint(plain.backend, torch.arange(45)), strict=True):
        assert (a.double() - b.double()).abs().max() <= 1e-10 * b.double().abs().max()
    order = torch.randperm(45, generator=generator)
    for a, b in zip(whole, adjoint(interior.backend, order), strict=True):
        assert torch.equal(a[order], b), "a lane saw its neighbour"


def test_a_start_inside_an_obstacle_that_no_control_can_leave_is_told() -> None:
    task = load_task("crazyflie")
    centre = Spheres(torch.zeros(1, 3, dtype=torch.float64), 3.0)
    x0 = task.goal[None].clone()
    backend = TrackingSolver(task, horizon=1, backend="torch")
    with pytest.raises(ShapeError, match="at most 64 spheres, got 65"):
        backend(x0, x0[:, None], spheres=Spheres(torch.zeros(65, 3, dtype=torch.float64), 0.1))
    assert backend(x0, x0[:, None], spheres=centre).status[0] != Status.CONVERGED.code


def test_named_parameters_are_checked() -> None:
    x0, reference = swing(2)
    with pytest.raises(KeyError, match="did you mean 'mass'"):
        solver("augmented_lagrangian")(x0, reference, parameters={"mas": 1.0})
    with pytest.raises(ShapeError, match=r"parameters\['mass'\]: expected \(\) or \(2,\), got \(3,\)"):
        solver("augmented_lagrangian")(x0, reference, parameters={"mass": torch.ones(3)})
