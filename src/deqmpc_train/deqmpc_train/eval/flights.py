"""Flying a policy in the batch environment, and what its ticks tell on the way. B episodes, S steps."""

from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_core.types import Observation, Plan
from deqmpc_sim.envs import Rollout, episode_starts, roll_out

_TIMED_STEPS = 50
_WARM_UP = 5


class Starts(NamedTuple):
    """Where B episodes begin: x (B, n), centers (B, k, 3) of the spheres unless the layout is fixed."""

    x: Tensor
    centers: Tensor | None


def seeded_starts(task: Task, seed: int, episodes: int) -> Starts:
    """Starts of episodes 0..B-1 of a seed."""
    return Starts(*episode_starts(task, seed, range(episodes)))


class StepTimes(NamedTuple):
    """Medians over warm ticks at B = 1 [ms]."""

    ms_per_step: float
    ms_network: float
    ms_solver: float


class Flight(NamedTuple):
    """A roll-out; violation (S, B): the largest constraint violation of each tick's plan, in state units;
    residual (N,): mean fixed-point residual of the network by round of the first, cold tick."""

    rollout: Rollout
    violation: Tensor
    residual: Tensor

    @property
    def returns(self) -> NDArray[np.float64]:
        """(B,)."""
        return self.rollout.returns.numpy()

    @property
    def violations(self) -> Tensor:
        """Those of the ticks that count, of all episodes (V,)."""
        lengths = self.rollout.lengths
        if lengths is None:
            return self.violation.flatten()
        counts = torch.arange(len(self.violation))[:, None] < lengths
        return self.violation[counts]


class _Watched:
    """A policy that keeps its ticks' figures; `cold` starts every tick afresh."""

    def __init__(self, policy: Policy, cold: bool) -> None:
        self.policy, self.config, self.cold = policy, policy.config, cold
        self.violations: list[Tensor] = []
        self.residual = torch.zeros(0)

    def initial_state(self, batch: int) -> Any:
        return self.policy.initial_state(batch)

    def __call__(self, observation: Observation, state: Any, iterations: int) -> tuple[Plan, Any]:
        if self.cold:
            state = self.initial_state(len(observation.x))
        plan, state = self.policy(observation, state, iterations)
        if not self.violations:
            self.residual = plan.info.residual.mean(1)
        self.violations.append(plan.info.violation[-1])
        return plan, state


def fly(policy: Policy, starts: Starts, iterations: int = 1, cold: bool = False) -> Flight:
    """Episodes of the policy's task with `iterations` rounds a warm tick, or every tick cold (N rounds)."""
    watched, task = _Watched(policy, cold), policy.task
    rollout = roll_out(task, watched, starts.x, task.episode_steps, iterations, starts.centers)
    return Flight(rollout, torch.stack(watched.violations), watched.residual)


def success(task: Task, flight: Rollout) -> list[bool]:
    """No failure, and the task's own rule."""
    done = task.success(flight.states)
    return [bool(d) and why is None for d, why in zip(done, flight.failures, strict=True)]


def step_times(policy: Policy, starts: Starts, iterations: int = 1, cold: bool = False) -> StepTimes:
    """Median milliseconds of ticks at B = 1: the whole call, network, solver."""
    x, state, task = starts.x[:1], policy.initial_state(1), policy.task
    centers = None if starts.centers is None else starts.centers[:1]
    times = []
    for _ in range(_TIMED_STEPS):
        seen = task.observe(x, centers, policy.config.horizon)
        state = policy.initial_state(1) if cold else state
        mark = perf_counter()
        plan, state = policy(seen, state, iterations)
        times.append((1e3 * (perf_counter() - mark), plan.info.network_ms, plan.info.solver_ms))
        centers = None if centers is None else task.moved(centers, x)
        x = task.step(x, plan.u[:, 0].clone())
    total, network, solver = np.median(np.array(times[_WARM_UP:]), axis=0)
    return StepTimes(float(total), float(network), float(solver))
