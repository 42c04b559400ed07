"""Acceptance of issue 3, what the solver costs: one core, medians, ratios within one run."""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from kept import ROOT
from solver import COUNT, SEED, chosen, measured
from torch import Tensor

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.testing import random_problems
from deqmpc_train.bench.growth import over_horizon, over_threads
from deqmpc_train.bench.own import both, bound, forward

pytestmark = [pytest.mark.accept, pytest.mark.usefixtures("one_thread")]


def _one_problem_times() -> dict[str, float]:
    """Median seconds of one bound call, over the problems in turn: cold, and warm one knot on."""
    calls: dict[str, Callable[[], Any]] = {}
    for horizon, obstacles, warm in ((5, 0, False), (5, 0, True), (20, 0, False), (20, 40, True)):
        drawn = random_problems("quadrotor", horizon, COUNT, SEED, obstacles)
        later = chosen(horizon, obstacles, True) if warm else drawn
        name = f"T{horizon}_k{obstacles}_{'warm' if warm else 'cold'}"
        solver = TrackingSolver(drawn.task, horizon, method="interior_point")
        calls[name] = bound(solver, later, warm)
        if name == "T5_k0_cold":
            calls["T5_k0_cold plain torch call"] = forward(solver, later.take(slice(0, 1)), None)
    return {name: 1e3 * seconds for name, seconds in _median_times(calls, COUNT).items()}


@pytest.mark.parametrize(
    ("problem", "limit"),
    [
        pytest.param("T5_k0_cold", 0.08, marks=pytest.mark.xfail(reason="0.096 to 0.118 ms")),
        pytest.param("T5_k0_warm", 0.06, marks=pytest.mark.xfail(reason="0.072 to 0.089 ms")),
        ("T20_k0_cold", 0.8),
        pytest.param("T20_k40_warm", 0.8, marks=pytest.mark.xfail(reason="0.87 to 1.06 ms")),
    ],
)
def test_one_problem_is_fast(problem: str, limit: float) -> None:
    """B = 1 with preallocated output, milliseconds by `TrackingSolver.bind` on numpy input."""
    assert measured("one_problem_ms", _one_problem_times)[problem] <= limit


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


@pytest.mark.xfail(reason="13 700 to 17 700 solves/s, as the machine goes")
def test_batches_with_gradients_are_fast() -> None:
    assert measured("batch_rates", _batch_times)["gauss_newton"] >= 15_000


def test_exact_gradients_cost_at_most_two_and_a_half_times_the_others() -> None:
    rates = measured("batch_rates", _batch_times)
    assert rates["gauss_newton"] <= 2.5 * rates["exact"], "of forward and backward together"


@pytest.mark.xfail(reason="3.2 times: Eq. 12 takes samples as lanes, the exact adjoint does not")
def test_the_exact_backward_pass_costs_at_most_two_and_a_half_times_the_other() -> None:
    rates = measured("batch_rates", _batch_times)
    forward_s, gauss_newton, exact = (1.0 / rates[name] for name in ("forward", "gauss_newton", "exact"))
    assert exact - forward_s <= 2.5 * (gauss_newton - forward_s)


def test_mpc_pytorch_is_far_behind() -> None:
    rates = measured("batch_rates", _batch_times)
    assert "mpc.pytorch" in rates, "install it: pip install --no-deps -r requirements-bench.txt"
    assert rates["gauss_newton beside"] >= 150 * rates["mpc.pytorch"]


def test_two_threads_share_the_work() -> None:
    """As well as the machine lets two threads run that share nothing."""
    figures = measured("threads", over_threads)
    assert figures["solver_speed_up"] >= 0.8 * figures["empty_speed_up"]


@pytest.mark.parametrize("method", ["augmented_lagrangian", "interior_point"])
def test_cost_and_memory_grow_linearly_with_the_horizon(method: str) -> None:
    figures = measured(f"growth_{method}", lambda: over_horizon(method, repetitions=31))
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


def test_two_cold_processes_at_once_are_both_right(tmp_path: Path) -> None:
    problems = random_problems("quadrotor", 5, 1, 0)
    expected = TrackingSolver(problems.task, 5)(problems.x0, problems.reference).x[0]
    for process in [_process(tmp_path), _process(tmp_path)]:
        assert (_answer(process) - expected).abs().max() <= 1e-10


@pytest.mark.xfail(reason="3.0 to 3.8 s, half of them torch's import")
def test_a_process_solves_its_first_problem_within_two_seconds(tmp_path: Path) -> None:
    """With the cache that the first of them leaves."""
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        _answer(_process(tmp_path))
        seconds.append(time.perf_counter() - begin)
    print("first solve of a process after", seconds[1:])
    assert statistics.median(seconds[1:]) <= 2.0
