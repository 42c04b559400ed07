"""Tuned defaults: one row per task, one per budget, and a learning rate per task and variant.

A command line changes single options of them (`Overrides`); `deqmpc train --tune` chooses the learning rate
from GRID, as it was chosen here, for a task and data set of one's own.
"""

from dataclasses import asdict, fields, replace
from typing import Any, Literal

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.policies import PolicyConfig, obstacle_mode
from deqmpc_core.tasks import load_task
from deqmpc_train.config import Overrides, TrainConfig

Budget = Literal["smoke", "laptop", "paper"]
BUDGETS: tuple[Budget, ...] = ("smoke", "laptop", "paper")

GRID = (1e-3, 3e-3, 1e-2)
"""Learning rates that are tried for every variant alike."""

# budget: of the policy. smoke: does it run (seconds). laptop: two cores, minutes to an hour. paper: a GPU.
_POLICY: dict[Budget, dict[str, Any]] = {
    "smoke":  {"hidden": 16, "evaluations": 4, "phantom_steps": 1},
    "laptop": {"hidden": 64},
    "paper":  {"evaluations": 10, "phantom_steps": 3},  # hidden: by task, below
}  # fmt: skip

# budget: of the run.
_TRAIN: dict[Budget, dict[str, Any]] = {
    "smoke":  {"steps": 20, "batch": 16, "warmup": 2, "ema": 0.9, "validate_every": 10,
               "checkpoint_every": 10, "validation_windows": 32},
    "laptop": {"steps": 1000, "batch": 50, "ema": 0.995},
    "paper":  {"steps": 20000, "validate_every": 500, "checkpoint_every": 500},
}  # fmt: skip

# task: hidden width of the paper (A.8; the crazyflie's is the quadrotor's), rounds per tick in flight and in
# streaming (Section 5.1), and what holds the waypoints: with Eq. 13 alone they drift off where the expert's
# controls are at their limits, for there the plan hardly depends on them (docs/results/waypoint_drift.md).
# laptop_steps: of a laptop's run, where not as above.
_TASKS: dict[str, dict[str, Any]] = {
    "pendulum":      {"hidden": 256,  "stream_rounds": 1, "theta_weight": 0.1},
    "cartpole":      {"hidden": 512,  "stream_rounds": 1, "theta_weight": 1.0, "laptop_steps": 4000},
    "quadrotor":     {"hidden": 512,  "stream_rounds": 1, "theta_weight": 0.1},
    "crazyflie":     {"hidden": 512,  "stream_rounds": 1, "theta_weight": 0.1},
    "qpole":         {"hidden": 1024, "stream_rounds": 1, "theta_weight": 1.0, "laptop_steps": 4000},
    "qpole_obs":     {"hidden": 1024, "stream_rounds": 2, "theta_weight": 1.0, "laptop_steps": 4000},
    "qpole_dyn_obs": {"hidden": 1024, "stream_rounds": 1, "theta_weight": 1.0, "laptop_steps": 4000},
}  # fmt: skip

# task: the learning rate that each variant's policy in models/ chose from GRID, at the laptop budget.
_RATES: dict[str, dict[str, float]] = {
    "pendulum": {"deqmpc-deq": 3e-3, "deqmpc-nn": 3e-3, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-3, "deq": 3e-3,
                 "nn": 1e-3},
    "cartpole": {"deqmpc-deq": 3e-3, "deqmpc-nn": 1e-3, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-3, "deq": 1e-2,
                 "nn": 3e-3},
    "quadrotor": {"deqmpc-deq": 3e-3, "deqmpc-nn": 1e-2, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-2, "deq": 3e-3,
                  "nn": 1e-2},
    "crazyflie": {"deqmpc-deq": 1e-2, "deqmpc-nn": 1e-2, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-2, "deq": 1e-2,
                  "nn": 1e-2},
    "qpole": {"deqmpc-deq": 1e-2, "deqmpc-nn": 1e-2, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-2},
    "qpole_obs": {"deqmpc-deq": 3e-3, "deqmpc-nn": 1e-2, "diffmpc-deq": 3e-3, "diffmpc-nn": 1e-2},
    "qpole_dyn_obs": {"deqmpc-deq": 1e-2, "deqmpc-nn": 1e-2, "diffmpc-deq": 1e-2, "diffmpc-nn": 1e-2},
}  # fmt: skip

# of a run of a task of one's own, that is not in the table.
_RUN: dict[str, Any] = {"stream_rounds": 1, "theta_weight": 0.1}


def tuned(
    task: str,
    variant: str,
    budget: Budget = "laptop",
    overrides: Overrides | None = None,
    task_options: dict[str, Any] | None = None,
) -> TrainConfig:
    """The configuration of a task and variant at a budget, with overrides."""
    if budget not in BUDGETS:
        raise UnknownNameError("budget", budget, BUDGETS)
    row = _TASKS.get(task, {})
    changes = {k: v for k, v in asdict(overrides or Overrides()).items() if v is not None}
    names = {f.name for f in fields(PolicyConfig)}
    shape: dict[str, Any] = {"hidden": row["hidden"]} if budget == "paper" and row else {}
    shape |= _POLICY[budget]
    shape |= {"obstacles": obstacle_mode(load_task(task, **(task_options or {})))}
    shape |= {k: v for k, v in changes.items() if k in names}
    policy = PolicyConfig(task, variant, task_options=task_options or {}, **shape)
    run = {name: row.get(name, usual) for name, usual in _RUN.items()} | _TRAIN[budget]
    if budget == "laptop":
        run["steps"] = row.get("laptop_steps", run["steps"])
        run["learning_rate"] = _RATES.get(task, {}).get(variant, GRID[0])
    return replace(TrainConfig(policy, **run), **{k: v for k, v in changes.items() if k not in names})


def rounds_per_tick(task: str) -> int:
    """DEQ-MPC iterations of a warm tick at which a task's policies are compared (Section 5.1)."""
    return _TASKS.get(task, {}).get("stream_rounds", 1)
