"""How far the simulated truth may lie from the model before flights fail: a grid of rotor lag, mass, mocap
latency.

Cells are flown in process (the whole stack in lock-step) by worker processes and kept one by one, so that a
stopped run goes on where it stood.
"""

import itertools
import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_json


@dataclass(frozen=True)
class MarginGrid:
    """The grid: rotor lag [s], mass as a share of the model's, mocap latency [s]; episodes of a seed in
    each cell."""

    policy: str = "crazyflie-deqmpc-deq"
    task: str = "crazyflie"
    rotor_lag: tuple[float, ...] = (0.03, 0.06, 0.10, 0.13)
    mass: tuple[float, ...] = (0.9, 1.0, 1.1)
    mocap_latency: tuple[float, ...] = (0.0, 0.01, 0.02, 0.03)
    episodes: int = 6
    seed: int = 0

    def cells(self) -> list[tuple[float, float, float]]:
        """Every (rotor lag, mass share, mocap latency)."""
        return list(itertools.product(self.rotor_lag, self.mass, self.mocap_latency))


def fly_cell(grid: MarginGrid, cell: tuple[float, float, float]) -> dict[str, Any]:
    """Success and failure counts of one cell."""
    import torch

    from deqmpc_core import load_policy
    from deqmpc_core.tasks import load_task
    from deqmpc_sim.firmware import TruthConfig
    from deqmpc_sim.in_process import fly_episode

    torch.set_num_threads(1)
    task = load_task(grid.task)
    policy = load_policy(grid.policy, task)
    lag, mass, latency = cell
    nominal = TruthConfig()
    truth = TruthConfig(rotor_lag=lag, mass=mass * nominal.mass, mocap_latency=latency)
    results = [
        fly_episode(task, policy, truth, grid.seed, episode, land=False).result for episode in
        range(grid.episodes)
    ]
    return {
        "rotor_lag": lag, "mass": mass, "mocap_latency": latency, "episodes": grid.episodes,
        "success": sum(r.success for r in results), "failures": [r.failure for r in results if r.failure],
        "return_mean": sum(r.return_ for r in results) / grid.episodes,
        "final_distance": sum(r.final_distance for r in results) / grid.episodes,
    }  # fmt: skip


def measure(
    grid: MarginGrid, out: Path, jobs: int = 2, progress: Callable[[int, int], None] = lambda done, total:
    None
) -> list[dict[str, Any]]:
    """All cells, in the grid's order; `out` (JSON) keeps what is done. Raises ConfigError if it holds
    another grid."""
    stored = json.loads(out.read_text()) if out.exists() else {"grid": _plain(grid), "cells": []}
    if stored["grid"] != _plain(grid):
        raise ConfigError(f"{out}: holds another grid; choose another file or remove it")
    done = {(c["rotor_lag"], c["mass"], c["mocap_latency"]): c for c in stored["cells"]}
    cells = grid.cells()
    progress(len(done), len(cells))
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(fly_cell, grid, cell): cell for cell in cells if cell not in done}
        for future in as_completed(futures):
            done[futures[future]] = future.result()
            write_json(out, {"grid": _plain(grid), "cells": [done[c] for c in cells if c in done]})
            progress(len(done), len(cells))
    return [done[c] for c in cells]


def table(grid: MarginGrid, cells: list[dict[str, Any]]) -> str:
    """Markdown: rows rotor lag and mass, columns latency, each cell successes of episodes."""
    found = {(c["rotor_lag"], c["mass"], c["mocap_latency"]): c for c in cells}
    heads = " | ".join(f"latency {1e3 * latency:.0f} ms" for latency in grid.mocap_latency)
    lines = [f"| rotor lag | mass | {heads} |", "|---|---|" + "---|" * len(grid.mocap_latency)]
    for lag, mass in itertools.product(grid.rotor_lag, grid.mass):
        row = [found[(lag, mass, latency)] for latency in grid.mocap_latency]
        counts = " | ".join(f"{c['success']}/{c['episodes']}" for c in row)
        lines.append(f"| {lag:.2f} s | {100 * mass:.0f} % | {counts} |")
    return "\n".join(lines)


def _plain(grid: MarginGrid) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(grid)))
