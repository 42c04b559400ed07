"""Closed-loop episodes of a policy in the batch environment."""

from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from deqmpc_core.bundle import load_policy
from deqmpc_core.policies import Policy, PolicyConfig
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.task import HOLD
from deqmpc_core.types import Observation, Plan
from deqmpc_sim.envs.episodes import episode_starts


class Rollout(NamedTuple):
    """states (B, S+1, n), actions (B, S, m), returns (B,), failures: a reason or None for each of B episodes;
    centers (B, S+1, k, 3) of the spheres, None where they are the task's own; lengths (B,): steps until the
    episode's end, by failure, success or the last step.
    """

    states: Tensor
    actions: Tensor
    returns: Tensor
    failures: list[str | None]
    centers: Tensor | None = None
    lengths: Tensor | None = None


class Pilot(Protocol):
    """What can be flown: a policy, or what stands for one."""

    @property
    def config(self) -> PolicyConfig:
        """Whose horizon says how far spheres are predicted."""
        ...

    def initial_state(self, batch: int, /) -> Any:
        """A cold state for `batch` samples."""
        ...

    def __call__(self, observation: Observation, state: Any, iterations: int, /) -> tuple[Plan, Any]:
        """One tick."""
        ...


def roll_out(
    task: Task, policy: Pilot, starts: Tensor, steps: int, iterations: int = 1, centers: Tensor | None = None
) -> Rollout:
    """Fly `steps` intervals from starts (B, n); after an episode's end its reward is 0.

    centers (B, k, 3): the spheres at the start; needed where they differ by episode (`episode_starts` gives
    both). All B episodes fly on to the last step: `lengths` says how much of each counts.
    """
    x, state = starts, policy.initial_state(starts.shape[0])
    states, actions, amid, tally = [x], [], [centers], _Tally(task, starts.shape[0])
    for _ in range(steps):
        plan, state = policy(task.observe(x, centers, policy.config.horizon), state, iterations)
        u = task.limited(plan.u[:, 0])
        after = task.step(x, u)
        tally.add(x, u, after, centers)
        centers = None if centers is None else task.moved(centers, x)
        x = after
        states.append(x)
        actions.append(u)
        amid.append(centers)
    path = None if centers is None else torch.stack([c for c in amid if c is not None], 1)
    states, actions = torch.stack(states, 1), torch.stack(actions, 1)
    return Rollout(states, actions, tally.returns, tally.failures, path, tally.lengths)


class _Tally:
    """Returns, failures and lengths of B episodes under way."""

    def __init__(self, task: Task, batch: int) -> None:
        self.task = task
        self.returns = torch.zeros(batch, dtype=torch.float64)
        self.lengths = torch.zeros(batch, dtype=torch.int64)
        self.failures: list[str | None] = [None] * batch
        self._under_way = torch.ones(batch, dtype=torch.bool)
        self._near = torch.zeros(batch, dtype=torch.int64)

    def add(self, before: Tensor, u: Tensor, after: Tensor, centers: Tensor | None) -> None:
        """A step of all episodes; those that ended before stay as they are."""
        task, under_way = self.task, self._under_way
        reasons = task.failures(before, after, centers)
        for b in under_way.nonzero()[:, 0].tolist():
            self.failures[b] = reasons[b]
        alive = under_way & torch.tensor([why is None for why in reasons])
        self.returns += torch.where(alive, task.reward(after, u), torch.zeros_like(self.returns))
        self.lengths += under_way
        self._near = torch.where(task.near(after), self._near + 1, torch.zeros_like(self._near))
        self._under_way = alive & ~((self._near >= HOLD) & task.ends_at_success)


@lru_cache(maxsize=4)
def _expert(task: Task) -> Policy:
    return load_policy("expert", task)


def expert_return(task: Task, seed: int, episode: int, steps: int | None = None) -> float:
    """The expert's return from the start of (seed, episode) in the batch environment."""
    start, centers = episode_starts(task, seed, [episode])
    flight = roll_out(task, _expert(task), start, steps or task.episode_steps, centers=centers)
    return float(flight.returns[0])
