"""Held-out errors by AL iteration under other penalty schedules: what of Figure 10 is the solver's doing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.policies import Policy, make_policy
from deqmpc_train.eval.evaluate import held_out_windows, training_config
from deqmpc_train.eval.iterations import window_errors
from deqmpc_train.eval.report import table

WINDOWS = 400


class ScheduleErrors(NamedTuple):
    """mu_max: where the penalty of a call ends. errors: mean over held-out windows and knots of
    |x - x_expert|_1 [state units] after each of the K = N m iterations of a cold tick."""

    policy: str
    mu_max: float
    errors: list[float]


def schedule_errors(
    name: str, policy: Policy, data: Path, mu_max: Sequence[float], windows: int = WINDOWS
) -> list[ScheduleErrors]:
    """The same network with solvers whose penalty ends at each mu_max, growing by the policy's gamma as
    before, at evenly spaced held-out windows of `data`. Raises ConfigError for a policy without a network."""
    config = training_config(name, policy)
    if config is None or policy.network is None:
        raise ConfigError(f"'{name}' has no network; give a trained policy")
    cut = held_out_windows(policy, data, config)
    window = cut.take(np.array(cut.spread(windows)))
    found = []
    for end in mu_max:
        other = make_policy(replace(policy.config, mu_max=end), policy.task)
        other.network = policy.network
        by_iteration = window_errors(other, window, config).iterations.mean(axis=1)
        found.append(ScheduleErrors(name, end, by_iteration.tolist()))
    return found


def schedule_markdown(found: Sequence[ScheduleErrors]) -> str:
    """A row a policy and schedule, a column an iteration."""
    count = max(len(row.errors) for row in found)
    head = ("policy", "mu_max", *map(str, range(1, count + 1)))
    body = [[Path(r.policy).name, f"{r.mu_max:g}", *(f"{e:.3f}" for e in r.errors)] for r in found]
    return "\n".join([*table(head, body), ""])
