"""Acceptance of issue 3, the solver: `make accept N=3`; one core, medians, ratios within one run.

Figures are kept under runs/accept-3/<digest of deqmpc_core>/ and IPOPT's answers under runs/accept-3/ipopt/,
so that a broken-off acceptance goes on where it stood; remove the folder to start over. What falls short is
expected to fail, its figure beside it.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from kept import ROOT, kept_under
from torch import Tensor

from deqmpc_core.mpc import Status, TrackingSolver
from deqmpc_core.testing import (
    Problems,
    finite_difference,
    ipopt_answers,
    random_problems,
    solved_share,
    warm_set,
)
from deqmpc_train.bench.growth import over_horizon, over_threads
from deqmpc_train.bench.own import both, bound, first_state, forward

pytestmark = pytest.mark.accept

IPOPT = Path(os.environ.get("DEQMPC_IPOPT", ROOT / "runs" / "accept-3" / "ipopt"))
SEED, COUNT, DRAWN = 0, 200, 220


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _kept(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The figures `measure` gives, measured once for each state of the library."""
    file = kept_under(3, "src/deqmpc_core") / f"{name}.json"
    if not file.exists():
        file.write_text(json.dumps(measure(), indent=2) + "\n")
    figures = json.loads(file.read_text())
    print(name, figures)
    return figures


def _problems(horizon: int, obstacles: int, warm: bool) -> Problems:
    if warm:
        return warm_set("quadrotor", horizon, COUNT, SEED, obstacles, IPOPT)
    return random_problems("quadrotor", horizon, DRAWN, SEED, obstacles)


def _share(horizon: int, obstacles: int, warm: bool, **options: Any) -> dict[str, Any]:
    problems = _problems(horizon, obstacles, warm)
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
    figures = _kept(name, lambda: {
        "interior_point": _share(horizon, obstacles, warm, method="interior_point", starts=starts),
        "augmented_lagrangian": _share(horizon, obstacles, warm),
    })  # fmt: skip
    assert figures["interior_point"]["of"] >= 195
    assert figures["interior_point"]["share"] >= at_least


@pytest.mark.parametrize(("obstacles", "at_least"), [(0, 1.0), (40, 0.99)])
def test_the_augmented_lagrangian_solves_short_problems(obstacles: int, at_least: float) -> None:
    figures = _kept(f"share_al_k{obstacles}", lambda: _share(5, obstacles, False))
    assert figures["of"] == COUNT and figures["share"] >= at_least


def _one_problem_times() -> dict[str, float]:
    """Median seconds of one bound call, over the problems in turn: cold, and warm one knot on."""
    calls: dict[str, Callable[[], Any]] = {}
    for horizon, obstacles, warm in ((5, 0, False), (5, 0, True), (20, 0, False), (20, 40, True)):
        drawn = random_problems("quadrotor", horizon, COUNT, SEED, obstacles)
        later = _problems(horizon, obstacles, True) if warm else drawn
        name = f"T{horizon}_k{obstacles}_{'warm' if warm else 'cold'}"
        solver = TrackingSolver(drawn.task, horizon, method="interior_point")
        calls[name] = bound(solver, later, warm)
        if name == "T5_k0_cold":
            calls["T5_k0_cold plain torch call"] = forward(solver, later.take(slice(0, 1)), None)
    return {name: 1e3 * seconds for name, seconds in _median_times(calls, COUNT).items()}


@pytest.mark.parametrize(
    ("problem", "limit"),
    [
        pytest.param("T5_k0_cold", 0.08, marks=pytest.mark.xfail(reason="0.100 ms")),
        pytest.param("T5_k0_warm", 0.06, marks=pytest.mark.xfail(reason="0.085 ms")),
        ("T20_k0_cold", 0.8),
        pytest.param("T20_k40_warm", 0.8, marks=pytest.mark.xfail(reason="0.89 ms")),
    ],
)
def test_one_problem_is_fast(problem: str, limit: float) -> None:
    """B = 1 with preallocated output, milliseconds by `TrackingSolver.bind` on numpy input."""
    assert _kept("one_problem_ms", _one_problem_times)[problem] <= limit


def _median_times(calls: dict[str, Callable[[], Any]], repetitions: int) -> dict[str, float]:
    """Median seconds of each call, all in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repetitions):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(found) for name, found in times.items()}


def _batch_times() -> dict[str, Any]:
    problems = random_problems("quadrotor", 5, COUNT, SEED)
    calls: dict[str, Callable[[], Any]] = {}
    method = "interior_point"
    for adjoint in ("gauss_newton", "exact"):
        solver = TrackingSolver(problems.task, 5, method=method, adjoint=adjoint)
        calls[adjoint] = both(solver, problems, None)
    calls["forward"] = forward(TrackingSolver(problems.task, 5, method=method), problems, None)
    times = _median_times(calls, 31)
    if importlib.util.find_spec("mpc") is not None:
        from deqmpc_train.bench.mpc_pytorch import mpc_pytorch

        peer = mpc_pytorch(5e-5).prepare(problems, "gauss_newton")
        times |= _median_times({"gauss_newton beside": calls["gauss_newton"], "mpc.pytorch": peer}, 3)
    return {name: COUNT / seconds for name, seconds in times.items()}


@pytest.mark.xfail(reason="13 400 solves/s")
def test_batches_with_gradients_are_fast() -> None:
    assert _kept("batch_rates", _batch_times)["gauss_newton"] >= 15_000


def test_the_exact_adjoint_costs_at_most_two_and_a_half_times_the_other() -> None:
    rates = _kept("batch_rates", _batch_times)
    forward_s, gauss_newton, exact = (1.0 / rates[name] for name in ("forward", "gauss_newton", "exact"))
    assert exact - forward_s <= 2.5 * (gauss_newton - forward_s), "of the backward passes alone"
    assert exact <= 2.5 * gauss_newton


@pytest.mark.xfail(reason="145 times")
def test_mpc_pytorch_is_far_behind() -> None:
    rates = _kept("batch_rates", _batch_times)
    assert "mpc.pytorch" in rates, "install it: pip install --no-deps -r requirements-bench.txt"
    assert rates["gauss_newton beside"] >= 150 * rates["mpc.pytorch"]


def test_two_threads_share_the_work() -> None:
    """As well as the machine lets two threads run that share nothing."""
    figures = _kept("threads", over_threads)
    assert figures["solver_speed_up"] >= 0.8 * figures["empty_speed_up"]


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
    figures = _kept(f"adjoint_{kind}", lambda: _gradient_errors(kind, obstacles))
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


@pytest.mark.parametrize("method", ["augmented_lagrangian", "interior_point"])
def test_cost_and_memory_grow_linearly_with_the_horizon(method: str) -> None:
    figures = _kept(f"growth_{method}", lambda: over_horizon(method, repetitions=31))
    assert figures["fits"]["us_per_iteration"]["r2"] >= 0.98
    assert figures["fits"]["bytes"]["r2"] >= 0.999


_FIRST = """
import json, sys, torch
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.testing import random_problems
problems = random_problems("quadrotor", 5, 1, 0)
solution = TrackingSolver(problems.task, 5)(problems.x0, problems.reference)
json.dump(solution.x[0].tolist(), sys.stdout)
"""


def _process(cache: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DEQMPC_CACHE": str(cache)}
    return subprocess.Popen([sys.executable, "-c", _FIRST], env=environment, stdout=subprocess.PIPE, cwd=ROOT)


def _answer(process: subprocess.Popen[bytes]) -> Tensor:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return torch.tensor(json.loads(out), dtype=torch.float64)


def test_processes_start_fast_and_together(tmp_path: Path) -> None:
    """Two cold processes at once are both right; with the cache they leave, the next takes 2 s at most."""
    problems = random_problems("quadrotor", 5, 1, 0)
    expected = TrackingSolver(problems.task, 5)(problems.x0, problems.reference).x[0]
    for process in [_process(tmp_path), _process(tmp_path)]:
        assert (_answer(process) - expected).abs().max() <= 1e-10
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        _answer(_process(tmp_path))
        seconds.append(time.perf_counter() - begin)
    print("first solve of a process after", seconds)
    assert statistics.median(seconds) <= 2.0
