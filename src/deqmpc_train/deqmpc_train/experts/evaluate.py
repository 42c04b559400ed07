"""Judging experts: the same figures for every kind, and the bundle that holds one."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.arrays import read_arrays
from deqmpc_core.bundle import save_bundle
from deqmpc_core.errors import DataError
from deqmpc_core.policies import Policy, PolicyConfig, make_policy
from deqmpc_core.tasks import Task
from deqmpc_train.eval import Plan, PolicyResult, Starts, evaluate, evaluate_policy, seeded_starts

KINDS = {"default": "expert", "mpc": "expert-mpc", "rl": "expert-rl"}
"""What `load_policy` calls each kind."""

_CARD = """# {name}

The expert of task {task}: {what}.

| | |
|---|---|
| mean return | {mean:.2f} over {episodes} episodes of seed {seed} |
| success | {success:.1%} |
| failure | {failure:.1%} |
| a tick | {ms:.2f} ms (B = 1, one core, warm) |

Fly it: `load_policy("{name}")`. Judge it: `deqmpc expert eval --task {task}`.

Make it again: `deqmpc expert train --task {task} --kind {kind} --out models/{name}{options}`
"""
_WHAT = {
    "mpc": "long-horizon MPC that climbs the task's reward (`RewardMpcPolicy`) or tracks the goal",
    "rl": "a network trained by short-horizon analytic policy gradients with a critic",
}


def evaluate_expert(
    task: Task, kind: str, episodes: int, seed: int = 0, begin: Tensor | None = None
) -> list[PolicyResult]:
    """An expert's figures from seeded starts or from begin (B, n), the crazyflie's beside a straight
    line's."""
    starts = seeded_starts(task, seed, episodes) if begin is None else Starts(begin, None)
    names = [KINDS[kind]]
    if task.spheres is not None and task.name == "crazyflie":
        names.append("straight-line")
    return evaluate(names, task, Plan(len(starts.x), seed), starts).results


def published_starts(task: Task, file: Path, episodes: int) -> Tensor:
    """The first states (B, n) of a published file's first `episodes` episodes. Raises DataError."""
    try:
        state = read_arrays(file, ("state",))["state"].astype(np.float64)
    except DataError as error:
        raise DataError(f"no starts in '{file}': {error}") from error
    if state.ndim != 3 or state.shape[2] != task.n:
        raise DataError(f"'{file}', state: expected shape (N, L, {task.n}), got {state.shape}")
    first = state[:episodes, 0]
    if not np.isfinite(first).all():
        episode = int(np.argmin(np.isfinite(first).all(1)))
        raise DataError(f"'{file}', state: episode {episode} does not start with finite numbers")
    return task.system.wrapped(task.system.to_short_mrp(torch.from_numpy(first)), task.angle_low)


def write_bundle(
    task: Task, options: dict[str, Any], kind: str, policy: Policy | None, out: Path, episodes: int
) -> PolicyResult:
    """Judge an expert (kind mpc is built here) and save it with its figures."""
    if policy is None:
        policy = make_policy(PolicyConfig(task.name, KINDS[kind], task_options=options), task)
    result = evaluate_policy(out.name, policy, seeded_starts(task, 0, episodes))
    card = _CARD.format(
        name=out.name, task=task.name, what=_WHAT[kind], mean=result.flight.return_mean, episodes=episodes,
        seed=0, success=result.flight.success_rate, failure=result.flight.failure_rate,
        ms=result.times.ms_per_step, kind=kind,
        options="".join(f" --option {k}={v}" for k, v in options.items()),
    )  # fmt: skip
    save_bundle(policy, out, card, {"expert": result.to_json()})
    return result
