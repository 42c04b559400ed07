"""Closed-loop episodes of a policy in the batch environment."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.bundle import load_policy
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_core.types import Observation


class Rollout(NamedTuple):
    """states (B, S+1, n), actions (B, S, m), returns (B,), failures: a reason or None for each of B
    episodes."""

    states: Tensor
    actions: Tensor
    returns: Tensor
    failures: list[str | None]


def roll_out(task: Task, policy: Policy, starts: Tensor, steps: int, iterations: int = 1) -> Rollout:
    """Fly `steps` intervals from starts (B, n); after a failure an episode's reward is 0."""
    x, state = starts, policy.initial_state(starts.shape[0])
    states, actions = [x], []
    returns = torch.zeros(starts.shape[0], dtype=torch.float64)
    failures: list[str | None] = [None] * starts.shape[0]
    for _ in range(steps):
        plan, state = policy(Observation(x), state, iterations)
        u = task.limited(plan.u[:, 0])
        after = task.step(x, u)
        failures = [why or task.failure(a, b) for why, a, b in zip(failures, x, after, strict=True)]
        alive = torch.tensor([why is None for why in failures])
        returns += torch.where(alive, task.reward(after, u), torch.zeros_like(returns))
        x = after
        states.append(x)
        actions.append(u)
    return Rollout(torch.stack(states, 1), torch.stack(actions, 1), returns, failures)


@lru_cache(maxsize=4)
def _expert(task: Task) -> Policy:
    return load_policy("expert", task)


def expert_return(task: Task, seed: int, episode: int, steps: int | None = None) -> float:
    """The expert's return from the start of (seed, episode) in the batch environment."""
    start = torch.from_numpy(np.asarray(task.start(seed, episode)))[None]
    return float(roll_out(task, _expert(task), start, steps or task.episode_steps).returns[0])
