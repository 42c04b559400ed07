"""Evaluation in the batch environment: returns, failures, successes, held-out error, milliseconds."""

from dataclasses import dataclass, fields
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
from torch import Tensor

from deqmpc_core.bundle import load_policy
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.crazyflie import GOAL_WINDOW
from deqmpc_sim.envs import Rollout, episode_starts, roll_out
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Windows, load_episodes
from deqmpc_train.held_out import held_out_errors

_MPC = ("expert", "expert-mpc")  # names of one and the same policy
_TIMED_STEPS = 50
_WARM_UP = 5
_VALIDATION_WINDOWS = 400


class FlightFigures(NamedTuple):
    """Rates are shares of episodes; normalised_return as in `normalised`; failures: how often each reason
    occurred; final_distance [m]: mean over the last 5 s, None where nothing has a place."""

    return_mean: float
    expert_return_mean: float
    normalised_return: float | None
    success_rate: float
    failure_rate: float
    failures: dict[str, int]
    final_distance: float | None


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


class Starts(NamedTuple):
    """Where B episodes begin: x (B, n), centers (B, k, 3) of the spheres unless the layout is fixed."""

    x: Tensor
    centers: Tensor | None


def seeded_starts(task: Task, seed: int, episodes: int) -> Starts:
    """Starts of episodes 0..B-1 of a seed."""
    return Starts(*episode_starts(task, seed, range(episodes)))


def evaluate(
    names: list[str],
    task: Task,
    episodes: int = 200,
    seed: int = 0,
    iterations: int = 1,
    data: Path | None = None,
    starts: Starts | None = None,
) -> list[PolicyResult]:
    """All policies, by path, name or variant, on the same starts (by default those of the seed), beside the
    expert."""
    starts = starts or seeded_starts(task, seed, episodes)
    best = load_policy("expert", task)
    expert, known = _fly(task, best, starts), ("expert",)
    if best.config.variant in _MPC:
        known = _MPC
    results = []
    for name in names:
        policy = load_policy(name, task)
        flight = expert if name in known else _fly(task, policy, starts, iterations)
        error = validation_error(policy, data) if data and policy.config.learned else None
        figures = flight_figures(task, flight, expert)
        results.append(_result(Path(name).name, policy, starts, figures, seed, iterations, error))
    return results


def evaluate_policy(name: str, policy: Policy, starts: Starts, seed: int = 0) -> PolicyResult:
    """One expert's figures, beside itself."""
    flight = _fly(policy.task, policy, starts)
    return _result(name, policy, starts, flight_figures(policy.task, flight, flight), seed)


def _fly(task: Task, policy: Policy, starts: Starts, iterations: int = 1) -> Rollout:
    return roll_out(task, policy, starts.x, task.episode_steps, iterations, starts.centers)


def _result(
    name: str, policy: Policy, starts: Starts, flight: FlightFigures, seed: int, iterations: int = 1,
    error: float | None = None,
) -> PolicyResult:  # fmt: skip
    times = step_times(policy, starts, iterations)
    return PolicyResult(name, policy.task.name, len(starts.x), seed, iterations, error, flight, times)


def normalised(mean: float, expert: float) -> float | None:
    """The mean return over the expert's, or, where rewards are costs, the other way round; None where the
    signs differ."""
    if mean * expert <= 0.0:
        return None
    return mean / expert if expert > 0.0 else expert / mean


def success(task: Task, flight: Rollout) -> list[bool]:
    """No failure, and the task's own rule."""
    done = task.success(flight.states)
    return [bool(d) and why is None for d, why in zip(done, flight.failures, strict=True)]


def step_times(policy: Policy, starts: Starts, iterations: int = 1) -> StepTimes:
    """Median milliseconds of warm ticks at B = 1: the whole call, network, solver."""
    x, state, task = starts.x[:1], policy.initial_state(1), policy.task
    centers = None if starts.centers is None else starts.centers[:1]
    times = []
    for _ in range(_TIMED_STEPS):
        seen = task.observe(x, centers, policy.config.horizon)
        mark = perf_counter()
        plan, state = policy(seen, state, iterations)
        times.append((1e3 * (perf_counter() - mark), plan.info.network_ms, plan.info.solver_ms))
        centers = None if centers is None else task.moved(centers, x)
        x = task.step(x, plan.u[:, 0].clone())
    total, network, solver = np.median(np.array(times[_WARM_UP:]), axis=0)
    return StepTimes(float(total), float(network), float(solver))


def validation_error(policy: Policy, data: Path) -> float:
    """Mean of cold and streamed L1 error per knot on the held-out tenth of a data set."""
    config, task = TrainConfig(policy.config), policy.task
    _, held_out = load_episodes(data, task).split()
    windows = Windows(held_out, config.window, task.system, task=None if task.fixed_layout else task)
    return held_out_errors(policy, windows, _VALIDATION_WINDOWS, config).error


def _final_distance(task: Task, flight: Rollout) -> float | None:
    if task.system.position is None:
        return None
    position = slice(task.system.position, task.system.position + 3)
    last = flight.states[:, -round(GOAL_WINDOW / task.dt) :, position]
    return float((last - task.goal[position]).norm(dim=-1).mean(1).nanmean())


def flight_figures(task: Task, flight: Rollout, expert: Rollout) -> FlightFigures:
    """Figures of a batch of flights beside the expert's."""
    reasons = [why for why in flight.failures if why is not None]
    mean, best = float(flight.returns.mean()), float(expert.returns.mean())
    return FlightFigures(
        mean,
        best,
        normalised(mean, best),
        float(np.mean(success(task, flight))),
        len(reasons) / len(flight.failures),
        {why: reasons.count(why) for why in sorted(set(reasons))},
        _final_distance(task, flight),
    )
