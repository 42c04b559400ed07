"""Evaluation in the batch environment: returns, failures, successes, held-out error, milliseconds."""

from dataclasses import dataclass, fields
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.bundle import load_policy
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.crazyflie import GOAL_WINDOW
from deqmpc_core.types import Observation
from deqmpc_sim.envs import Rollout, roll_out
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Windows, load_episodes
from deqmpc_train.loss import final_errors

_TIMED_STEPS = 50
_WARM_UP = 5
_VALIDATION_WINDOWS = 400


class FlightFigures(NamedTuple):
    """Rates are shares of episodes; normalised_return is over the expert's mean from the same starts;
    failures: how often each reason occurred; final_distance [m]: mean over the last 5 s."""

    return_mean: float
    expert_return_mean: float
    normalised_return: float
    success_rate: float
    failure_rate: float
    failures: dict[str, int]
    final_distance: float


class StepTimes(NamedTuple):
    """Medians over warm ticks at B = 1 [ms]."""

    ms_per_step: float
    ms_network: float
    ms_solver: float


@dataclass(frozen=True)
class PolicyResult:
    """One policy's figures.

    validation_error: L1 error per knot on held-out windows, cold and streamed, for learned policies with
    data.
    """

    policy: str
    task: str
    episodes: int
    seed: int
    iterations: int
    validation_error: float | None
    flight: FlightFigures
    times: StepTimes

    def to_json(self) -> dict[str, object]:
        """A flat dictionary of plain values."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("flight", "times")}
        return flat | self.flight._asdict() | self.times._asdict()


def starts(task: Task, seed: int, episodes: int) -> Tensor:
    """Start states (B, n) of episodes 0..B-1 of a seed."""
    return torch.stack([torch.from_numpy(np.asarray(task.start(seed, i))) for i in range(episodes)])


def evaluate(
    names: list[str],
    task: Task,
    episodes: int = 200,
    seed: int = 0,
    iterations: int = 1,
    data: Path | None = None,
) -> list[PolicyResult]:
    """All policies, by path, name or variant, on the same starts, beside the expert."""
    begin = starts(task, seed, episodes)
    expert = roll_out(task, load_policy("expert", task), begin, task.episode_steps)
    results = []
    for name in names:
        policy = load_policy(name, task)
        flight = roll_out(task, policy, begin, task.episode_steps, iterations)
        error = validation_error(policy, data) if data and policy.config.learned else None
        results.append(
            PolicyResult(
                policy=Path(name).name,
                task=task.name,
                episodes=episodes,
                seed=seed,
                iterations=iterations,
                validation_error=error,
                flight=flight_figures(task, flight, expert),
                times=step_times(policy, begin, iterations),
            )
        )
    return results


def success(task: Task, flight: Rollout) -> list[bool]:
    """No failure, and the task's own rule."""
    done = task.success(flight.states)
    return [bool(d) and why is None for d, why in zip(done, flight.failures, strict=True)]


def step_times(policy: Policy, begin: Tensor, iterations: int) -> StepTimes:
    """Median milliseconds of warm ticks at B = 1: the whole call, network, solver."""
    x, state = begin[:1], policy.initial_state(1)
    times = []
    for _ in range(_TIMED_STEPS):
        mark = perf_counter()
        plan, state = policy(Observation(x), state, iterations)
        times.append((1e3 * (perf_counter() - mark), plan.info.network_ms, plan.info.solver_ms))
        x = policy.task.step(x, plan.u[:, 0].clone())
    total, network, solver = np.median(np.array(times[_WARM_UP:]), axis=0)
    return StepTimes(float(total), float(network), float(solver))


def validation_error(policy: Policy, data: Path) -> float:
    """Mean of cold and streamed L1 error per knot on the held-out tenth of a data set."""
    config = TrainConfig(policy.config)
    _, held_out = load_episodes(data, policy.task).split()
    windows = Windows(held_out, config.window, policy.task.system)
    window = windows.take(np.array(windows.spread(_VALIDATION_WINDOWS)))
    return float(np.mean(final_errors(policy, window, config)))


def _final_distance(task: Task, flight: Rollout) -> Tensor:
    position = slice(task.system.position or 0, (task.system.position or 0) + 3)
    last = flight.states[:, -round(GOAL_WINDOW / task.dt) :, position]
    return (last - task.goal[position]).norm(dim=-1).mean(1)


def flight_figures(task: Task, flight: Rollout, expert: Rollout) -> FlightFigures:
    """Figures of a batch of flights beside the expert's."""
    reasons = [why for why in flight.failures if why is not None]
    mean, best = float(flight.returns.mean()), float(expert.returns.mean())
    return FlightFigures(
        mean,
        best,
        mean / best,
        float(np.mean(success(task, flight))),
        len(reasons) / len(flight.failures),
        {why: reasons.count(why) for why in sorted(set(reasons))},
        float(_final_distance(task, flight).nanmean()),
    )
