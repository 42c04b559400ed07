"""Acceptance of issue 3, the solver: `make accept N=3`; one core, medians, ratios within one run.

Figures are kept under runs/accept-3/<digest of `PARTS`>/ and IPOPT's answers under runs/accept-3/ipopt/,
so that a broken-off acceptance goes on where it stood; remove the folder to start over. What falls short is
expected to fail, its figure beside it.
"""

import statistics
from typing import Any

import pytest
import torch
from solver import COUNT, IPOPT, SEED, chosen, measured
from torch import Tensor

from deqmpc_core.mpc import Status, TrackingSolver
from deqmpc_core.testing import finite_difference, ipopt_answers, random_problems, solved_share
from deqmpc_train.bench.own import first_state, forward

pytestmark = [pytest.mark.accept, pytest.mark.usefixtures("one_thread")]


def _share(horizon: int, obstacles: int, warm: bool, **options: Any) -> dict[str, Any]:
    problems = chosen(horizon, obstacles, warm)
    answers = ipopt_answers(problems, IPOPT)
    solver = TrackingSolver(problems.task, horizon, **options)
    x, u = forward(solver, problems, first_state(solver, problems))()
    _, count, share = solved_share(problems, x, u, answers, COUNT)
    return {"share": share, "of": count}


@pytest.mark.parametrize(
    ("horizon", "obstacles", "warm", "starts", "at_least"),
    [
        (5, 0, False, 1, 1.0), (5, 40, False, 1, 0.99), (20, 40, True, 2, 0.99),
        pytest.param(20, 40, True, 1, 0.99, marks=pytest.mark.xfail(reason="98.0 %")),
        (20, 40, False, 1, 0.88), (20, 40, False, 4, 0.95), (50, 40, True, 1, 0.97),
    ],
)  # fmt: skip
def test_problems_that_ipopt_solves_are_solved(
    horizon: int, obstacles: int, warm: bool, starts: int, at_least: float
) -> None:
    """By the interior point; the augmented Lagrangian's share stands beside it in the kept figures."""
    name = f"share_T{horizon}_k{obstacles}_{'warm' if warm else 'cold'}_starts{starts}"
    figures = measured(name, lambda: {
        "interior_point": _share(horizon, obstacles, warm, method="interior_point", starts=starts),
        "augmented_lagrangian": _share(horizon, obstacles, warm),
    })  # fmt: skip
    assert figures["interior_point"]["of"] >= 195
    assert figures["interior_point"]["share"] >= at_least


@pytest.mark.parametrize(("obstacles", "at_least"), [(0, 1.0), (40, 0.99)])
def test_the_augmented_lagrangian_solves_short_problems(obstacles: int, at_least: float) -> None:
    figures = measured(f"share_al_k{obstacles}", lambda: _share(5, obstacles, False))
    assert figures["of"] == COUNT and figures["share"] >= at_least


def _gradient_errors(kind: str, obstacles: int) -> dict[str, Any]:
    """Relative errors of directional derivatives to waypoints and start, over converged samples."""
    problems = random_problems(kind, 5, 40, SEED, obstacles)
    solver = TrackingSolver(problems.task, 5, method="interior_point", adjoint="exact", tolerance=1e-11)
    generator = torch.Generator().manual_seed(1)
    seed = torch.randn(problems.guess.x.shape, dtype=torch.float64, generator=generator)
    x0, reference = problems.x0.clone().requires_grad_(), problems.reference.clone().requires_grad_()

    def loss(start: Tensor, waypoints: Tensor) -> Tensor:
        return (solver(start, waypoints, spheres=problems.spheres).x * seed).sum((1, 2))

    settled = solver(x0, reference, spheres=problems.spheres).status == Status.CONVERGED.code
    loss(x0, reference).sum().backward()
    errors = []
    for leaf, function in ((reference, lambda w: loss(problems.x0, w)),
                           (x0, lambda s: loss(s, problems.reference))):  # fmt: skip
        directions = torch.randn(3, *leaf.shape, dtype=torch.float64, generator=generator)
        slopes = finite_difference(function, leaf.detach(), directions, 1e-4)
        assert leaf.grad is not None
        claimed = (leaf.grad * directions).flatten(2).sum(2)
        errors += ((claimed - slopes).abs() / slopes.abs().clamp_min(1e-9))[:, settled].flatten().tolist()
    return {"median": statistics.median(errors), "settled": int(settled.sum()), "of": problems.batch}


@pytest.mark.parametrize(
    ("kind", "obstacles"), [("pendulum", 0), ("cartpole", 0), ("quadrotor", 40), ("qpole", 40)]
)
def test_the_exact_adjoint_is_exact(kind: str, obstacles: int) -> None:
    figures = measured(f"adjoint_{kind}", lambda: _gradient_errors(kind, obstacles))
    assert figures["settled"] >= 0.8 * figures["of"]
    assert figures["median"] <= 1e-6


@pytest.mark.parametrize("method", ["augmented_lagrangian", "interior_point"])
@pytest.mark.parametrize("obstacles", [0, 40])
def test_a_sample_is_the_same_in_any_batch(method: str, obstacles: int) -> None:
    """Bit-equal in batches of one kernel; alone (another kernel, perhaps) within 1e-10."""
    problems = random_problems("quadrotor", 5, 64, SEED, obstacles)
    solver = TrackingSolver(problems.task, 5, method=method)
    whole = forward(solver, problems, None)()[0]
    order = torch.randperm(64, generator=torch.Generator().manual_seed(2))
    assert torch.equal(forward(solver, problems.take(order), None)()[0], whole[order])
    part = slice(17, 53)
    assert torch.equal(forward(solver, problems.take(part), None)()[0], whole[part])
    for b in (0, 31, 63):
        alone = forward(solver, problems.take(slice(b, b + 1)), None)()[0]
        assert (alone[0] - whole[b]).abs().max() <= 1e-10


_KINK = pytest.mark.xfail(reason="5 % at 8 iterations: settled steps flip spheres at lam + mu h = 0")


@pytest.mark.parametrize(
    ("obstacles", "growth", "newton_steps"),
    [(0, 10.0, 4), (40, 4.0, 2), (40, 10.0, 2), pytest.param(40, 10.0, 4, marks=_KINK)],
)
def test_backends_agree(obstacles: int, growth: float, newton_steps: int) -> None:
    """To 1e-8 over the same iterations, but for ties; 4 and 2 are the numbers inside policies."""
    problems = random_problems("quadrotor", 5, 200, SEED, obstacles)
    numbers: dict[str, Any] = {"growth": growth, "newton_steps": newton_steps}
    native, plain = (TrackingSolver(problems.task, 5, backend=b, **numbers) for b in ("native", "torch"))
    state = native.initial_state(problems.x0, 8, spheres=problems.spheres)
    for iterations in (2, 4, 8):
        given = problems.x0, problems.reference, state, iterations, problems.spheres
        a, b = native(*given), plain(*given)
        assert ((a.x - b.x).abs().flatten(1).amax(1) > 1e-8).double().mean() <= 0.01


@pytest.mark.parametrize("obstacles", [0, 40])
def test_backends_agree_at_convergence(obstacles: int) -> None:
    problems = random_problems("quadrotor", 5, 200, SEED, obstacles)
    native, plain = (TrackingSolver(problems.task, 5, backend=b, tolerance=1e-8) for b in ("native", "torch"))
    a, b = (s(problems.x0, problems.reference, spheres=problems.spheres) for s in (native, plain))
    both = (a.status == Status.CONVERGED.code) & (b.status == Status.CONVERGED.code)
    assert both.double().mean() > 0.5
    assert (((a.x - b.x).abs().flatten(1).amax(1) > 1e-6) & both).double().mean() <= 0.01


