"""What plan rate, late plans and late poses do to a flight, with each kind of latency compensation.

    .venv/bin/python tools/measure_latency.py --episodes 20 --json latency.json

Flights in one process on the simulated Crazyflie: each case is the same starts, `compute` s from a tick to
its plan at the commander and `latency` s from a pose's capture to its arrival. Printed: mean return, rms
distance to the plan being flown, flights that reached the goal, flights that failed.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from deqmpc_core import load_policy, load_task
from deqmpc_core.flight import CommanderConfig
from deqmpc_core.flight.latency import MODES
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.in_process import fly_episode


@dataclass(frozen=True)
class Case:
    """rate [plans/s], compute [s], latency [s], compensate."""

    rate: float
    compute: float
    latency: float
    compensate: str


CASES = (
    *(Case(rate, 0.0, 0.010, "pose_age") for rate in (10.0, 50.0, 100.0)),
    *(Case(10.0, compute, latency, mode) for compute, latency in ((0.06, 0.05), (0.08, 0.01))
      for mode in MODES),
    *(Case(50.0, 0.02, 0.05, mode) for mode in MODES),
)  # fmt: skip


def measure(case: Case, policy: str, episodes: int, steps: int, seed: int) -> dict[str, float]:
    """Means over the episodes."""
    task = load_task("crazyflie")
    pilot, truth = load_policy(policy, task="crazyflie"), TruthConfig(mocap_latency=case.latency)
    commander = CommanderConfig(rate=max(50.0, case.rate))
    flights = [
        fly_episode(task, pilot, truth, seed, k, commander, steps=steps, land=False, rate=case.rate,
                    compute=case.compute, compensate=case.compensate)
        for k in range(episodes)
    ]  # fmt: skip
    return {
        "return": float(np.mean([f.result.return_ for f in flights])),
        "tracking_mm": 1e3 * float(np.nanmean([f.tracking_error for f in flights])),
        "success": float(np.mean([f.result.success for f in flights])),
        "failed": float(np.mean([f.result.failure is not None for f in flights])),
        "final_distance": float(np.mean([f.result.final_distance for f in flights])),
    }


def main() -> None:
    """Measure all cases, telling each as it comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", default="crazyflie-deqmpc-nn")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--cases", type=int, default=len(CASES), help="only the first so many")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for case in CASES[: options.cases]:
        found = measure(case, options.policy, options.episodes, options.steps, options.seed)
        rows.append({**asdict(case), **found})
        print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"policy": options.policy, "cases": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
