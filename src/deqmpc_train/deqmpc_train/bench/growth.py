"""How cost and memory grow with the horizon, and batches with threads."""

import hashlib
import statistics
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from deqmpc_core.errors import ConfigError
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.testing import random_problems
from deqmpc_train.bench.cases import SEED
from deqmpc_train.bench.stopwatch import seconds_of

HORIZONS = (5, 10, 20, 50, 100)
_BATCH = 20


def over_horizon(method: str, horizons: tuple[int, ...] = HORIZONS, repetitions: int = 9) -> dict[str, Any]:
    """Box-only quadrotor problems, cold: microseconds a solve and a Newton iteration, bytes of a sample's
    state, against T, with the line through them and its R^2. How many iterations is not T's to decide."""
    points = []
    for horizon in horizons:
        problems = random_problems("quadrotor", horizon, _BATCH, SEED)
        solver = TrackingSolver(problems.task, horizon, method=method)
        solution = solver(problems.x0, problems.reference)
        seconds = _median(lambda s=solver, p=problems: s(p.x0, p.reference), repetitions)
        iterations = float(solution.info.iterations.double().mean())
        stored = sum(v.numel() * v.element_size() for v in solution.state) // _BATCH
        points.append({
            "T": horizon, "us_per_solve": 1e6 * seconds / _BATCH, "iterations": iterations,
            "us_per_iteration": 1e6 * seconds / _BATCH / iterations, "bytes": stored,
        })  # fmt: skip
    keys = ("us_per_solve", "us_per_iteration", "bytes")
    fits = {key: line([p["T"] for p in points], [p[key] for p in points]) for key in keys}
    return {"method": method, "points": points, "fits": fits}


def line(x: list[float], y: list[float]) -> dict[str, float]:
    """Least squares y = slope x + intercept, with R^2."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    slope, intercept = np.polyfit(a, b, 1)
    rest, spread = ((b - slope * a - intercept) ** 2).sum(), ((b - b.mean()) ** 2).sum()
    return {"slope": slope, "intercept": intercept, "r2": float(1.0 - rest / spread) if spread else 1.0}


def over_threads(batch: int = 2000, repetitions: int = 7) -> dict[str, Any]:
    """The native solver's speed-up from one thread to two (T = 5, box, cold), beside that of two threads
    hashing numbers each: what this machine gives work that shares nothing."""
    problems = random_problems("quadrotor", 5, 50, SEED).tiled(batch)
    solver = TrackingSolver(problems.task, 5)
    before = torch.get_num_threads()
    times: dict[int, list[float]] = {1: [], 2: []}
    bare: dict[int, list[float]] = {1: [], 2: []}
    try:
        for _ in range(repetitions):
            for threads, found in times.items():
                torch.set_num_threads(threads)
                found.append(seconds_of(lambda: solver(problems.x0, problems.reference)))
                bare[threads].append(seconds_of(lambda n=threads: _hashes(n)))
    finally:
        torch.set_num_threads(before)
    solve, empty = ({n: statistics.median(v[1:]) for n, v in t.items()} for t in (times, bare))
    return {
        "batch": batch, "solves_per_s": {str(n): batch / s for n, s in solve.items()},
        "solver_speed_up": solve[1] / solve[2], "empty_speed_up": empty[1] / empty[2],
    }  # fmt: skip


def _hashes(threads: int, jobs: int = 8) -> None:
    data = bytes(4_000_000)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: hashlib.sha256(data).digest(), range(jobs)))


def _median(call: Callable[[], Any], repetitions: int) -> float:
    return statistics.median(seconds_of(call) for _ in range(repetitions))


def growth(quick: bool) -> dict[str, Any]:
    """Both measurements, for every method there is."""
    horizons = HORIZONS[:1] if quick else HORIZONS
    found = []
    for method in () if quick else ("augmented_lagrangian", "interior_point"):
        try:
            found.append(over_horizon(method, horizons))
        except ConfigError as error:
            found.append({"method": method, "note": str(error)})
    return {"horizon": found, "threads": over_threads(400, 3) if quick else over_threads()}
