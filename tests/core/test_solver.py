"""The solver against IPOPT, its two backends against each other, and one sample against its batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deqmpc_core.errors import ShapeError
from deqmpc_core.mpc import Spheres, Status, TrackingSolver
from deqmpc_core.tasks import Task, load_task
from deqmpc_core.testing import IpoptOracle, Problems, cold_guess


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("crazyflie")


def problems(task: Task, batch: int, horizon: int = 5, seed: int = 3) -> tuple[Tensor, Tensor]:
    """Mid-flight starts and waypoints scattered around them."""
    rng = np.random.default_rng(seed)
    x0 = torch.from_numpy(np.stack([task.spread_start(rng) for _ in range(batch)]))
    spread = np.concatenate([np.full(3, 0.3), np.full(3, 0.05), np.full(3, 0.3), np.full(3, 0.3)])
    return x0, x0[:, None] + torch.from_numpy(rng.normal(size=(batch, horizon, 12)) * spread)


def test_costs_match_ipopt(task: Task) -> None:
    """From the same first guess: feasible to 1e-4 and at most 0.1 % dearer wherever IPOPT succeeds."""
    x0, reference = problems(task, 10)
    assert task.spheres is not None
    center = task.spheres.center.expand(10, -1, -1)
    spheres = Spheres(center, torch.full(center.shape[:2], float(task.spheres.radius), dtype=torch.float64))
    guess = cold_guess(task, x0, 5)
    drawn = Problems(task, x0, reference, spheres, reference[:, :0], guess)
    best = IpoptOracle(task, 5, 40)(drawn)
    assert best.ok.sum() >= 8
    for method in ("augmented_lagrangian", "interior_point"):
        solution = TrackingSolver(task, method=method)(x0, reference, spheres=spheres)
        assert solution.info.violation[best.ok].max() < 1e-4
        assert (solution.info.cost / best.cost)[best.ok].max() <= 1.001


@pytest.mark.parametrize("iterations", [1, 2, 6, 12])
def test_backends_take_the_same_iterations(task: Task, iterations: int) -> None:
    x0, reference = problems(task, 8)
    native, plain = TrackingSolver(task), TrackingSolver(task, backend="torch")
    start = native.initial_state(x0, 12)
    a, b = (s(x0, reference, warm=start, al_iterations=iterations) for s in (native, plain))
    for left, right in zip(
        (a.x, a.u, *a.state[:2], a.info.cost), (b.x, b.u, *b.state[:2], b.info.cost), strict=True
    ):
        assert (left - right).abs().max() < 1e-8


def test_gradients_of_both_backends_agree_and_point_downhill(task: Task) -> None:
    x0, reference = problems(task, 6)
    seed = torch.randn(6, 6, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for backend in ("native", "torch"):
        leaf, solver = (
            reference.clone().requires_grad_(),
            TrackingSolver(task, backend=backend, tolerance=1e-8),
        )
        (solver(x0, leaf).x * seed).sum().backward()
        gradients.append(leaf.grad)
    assert (gradients[0] - gradients[1]).abs().max() < 1e-6 * gradients[0].abs().max()
    solver, h = TrackingSolver(task, tolerance=1e-8), 1e-5
    step = h * gradients[0] / gradients[0].flatten(1).norm(dim=1)[:, None, None]
    rise = ((solver(x0, reference + step).x - solver(x0, reference - step).x) * seed).sum((1, 2)) / (2 * h)
    expected = gradients[0].flatten(1).norm(dim=1)
    # Eq. 12 leaves out constraint curvature: it is a good direction, not the exact slope.
    assert ((rise / expected - 1.0).abs() < 0.5).all()


def test_a_sample_never_depends_on_its_batch(task: Task) -> None:
    """Bit-equal alone, in any position, and beside a NaN neighbour."""
    x0, reference = problems(task, 40)
    solver = TrackingSolver(task)
    x0[7, 2] = torch.nan
    together = solver(x0, reference, al_iterations=6)
    assert together.status[7] == Status.NOT_FINITE.code
    assert together.x[[b for b in range(40) if b != 7]].isfinite().all()
    for b in (0, 6, 8, 39):
        alone = solver(x0[b : b + 1], reference[b : b + 1], al_iterations=6)
        assert torch.equal(alone.x[0], together.x[b])
        assert torch.equal(alone.u[0], together.u[b])


def test_a_refused_sample_keeps_its_last_finite_iterate(task: Task) -> None:
    x0, reference = problems(task, 2)
    solver = TrackingSolver(task)
    good = solver(x0, reference, al_iterations=12)
    reference = reference.clone()
    reference[0, 0, 0] = torch.inf
    again = solver(x0, reference, warm=good.state, al_iterations=2)
    assert again.status[0] == Status.NOT_FINITE.code
    assert torch.equal(again.x[0], good.x[0])


def test_the_interior_point_respects_every_constraint(task: Task) -> None:
    x0, reference = problems(task, 64, seed=5)
    solver = TrackingSolver(task, method="interior_point", starts=2)
    solution = solver(x0, reference)
    done = solution.status == Status.CONVERGED.code
    assert done.float().mean() > 0.95
    x, u = solution.x[done], solution.u[done]
    successor = task.system.rk4(x[:, :-1], u, task.dt, task.substeps)
    assert (successor - x[:, 1:]).abs().max() < 1e-4
    assert (u >= -1e-4).all() and (u <= task.u_hi + 1e-4).all()
    assert task.spheres is not None
    distance = (x[:, 1:, None, :3] - task.spheres.center).norm(dim=-1)
    assert distance.min() > 0.16 - 1e-3
    again = solver(x0, reference, warm=solution.state)
    assert (again.info.cost - solution.info.cost)[done].max() < 1e-3 * solution.info.cost[done].max()


@settings(max_examples=25, deadline=None)
@given(st.floats(0.0, 6.0), st.integers(1, 4))
def test_shift_moves_the_plan_and_resets_the_rest(knots: float, iterations: int) -> None:
    task = load_task("crazyflie")
    x0, reference = problems(task, 3)
    solver = TrackingSolver(task)
    state = solver(x0, reference, al_iterations=4).state
    moved = solver.shift(state, x0, knots=knots, al_iterations=iterations)
    time = np.minimum(np.arange(6) + knots, 5.0)
    for b in range(3):
        for i in range(12):
            expected = np.interp(time, np.arange(6), state.x[b, :, i])
            assert np.allclose(moved.x[b, :, i], expected, atol=1e-12)
    assert moved.dynamics.abs().max() == 0.0 and moved.box.abs().max() == 0.0
    assert torch.allclose(moved.penalty, torch.tensor(1e6 * 10.0 ** (1 - iterations)).double())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, r: (x[:, :5], r), "x0: expected shape (*, 12), got (4, 5)"),
        (lambda x, r: (x, r[:, :3]), "reference: expected shape (4, 5, 12), got (4, 3, 12)"),
        (lambda x, r: (x.long(), r), "x0: expected a floating-point tensor"),
    ],
)
def test_wrong_shapes_name_expected_and_received(task: Task, change, words: str) -> None:  # noqa: ANN001
    with pytest.raises(ShapeError) as error:
        TrackingSolver(task)(*change(*problems(task, 4)))
    assert words in str(error.value)


def test_spheres_may_change_from_call_to_call(task: Task) -> None:
    """Count, place and radius are run-time data, per sample and per knot."""
    x0 = torch.zeros(2, 12, dtype=torch.float64)
    reference = torch.zeros(2, 5, 12, dtype=torch.float64)
    reference[..., 0] = torch.linspace(0.1, 0.5, 5)
    center = torch.tensor([[[0.12, 0.01, 0.0]], [[5.0, 0.0, 0.0]]], dtype=torch.float64)
    solver = TrackingSolver(task, safety_margin=0.0)
    fixed = solver(x0, reference, spheres=Spheres(center, 0.11))
    moving = solver(x0, reference, spheres=Spheres(center[:, None].expand(2, 5, 1, 3).clone(), 0.11))
    free = solver(x0, reference, spheres=Spheres(torch.zeros(0, 3, dtype=torch.float64), 0.0))
    assert torch.equal(fixed.x, moving.x)
    assert (fixed.x[0, 1:, :3] - center[0]).norm(dim=-1).min() > 0.11 - 1e-4
    assert (free.x[0, 1:, :3] - center[0]).norm(dim=-1).min() < 0.11 - 1e-3
    assert torch.allclose(fixed.x[1], free.x[1], atol=1e-6)
