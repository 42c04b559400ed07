"""Evaluation: policies side by side on the same starts of the batch environment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from deqmpc_core.bundle import find_bundle, load_policy
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.files import read_json
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Windows, load_episodes
from deqmpc_train.eval.expert import expert_returns
from deqmpc_train.eval.flights import Flight, Starts, fly, seeded_starts, step_times
from deqmpc_train.eval.results import (
    Array,
    Difference,
    HeldOutFigures,
    PolicyResult,
    differences,
    failed_flags,
    flight_figures,
)
from deqmpc_train.held_out import held_out_errors
from deqmpc_train.tuned import rounds_per_tick

_MPC = ("expert", "expert-mpc")  # names of one and the same policy
_VALIDATION_WINDOWS = 400

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How policies are judged. iterations: rounds of a warm tick, one row each; cold: one more row in which
    every tick starts afresh; data: a data set for the held-out error, at the split the policy was trained
    with, or at this one."""

    episodes: int = 200
    seed: int = 0
    iterations: Sequence[int] = (1,)
    cold: bool = False
    data: Path | None = None
    split: int | None = None


class Evaluation(NamedTuple):
    """results: a row for each policy and way of flying; differences of every pair; expert (B,): its
    returns."""

    results: list[PolicyResult]
    differences: list[Difference]
    expert: Array

    def to_json(self) -> dict[str, Any]:
        """Everything, with each episode's return."""
        rows = [r.to_json() | {"returns": r.returns.tolist()} for r in self.results]
        paired = [d._asdict() for d in self.differences]
        return {"policies": rows, "differences": paired, "expert_returns": self.expert.tolist()}


def evaluate(
    names: Sequence[str], task: Task, plan: Plan | None = None, starts: Starts | None = None,
    progress: Progress = lambda _: None,
) -> Evaluation:  # fmt: skip
    """All policies, by path, name or variant, on the same starts (by default those of the seed), beside the
    expert."""
    plan = plan or Plan()
    starts = starts or seeded_starts(task, plan.seed, plan.episodes)
    progress("expert")
    own = _own_flight(names, task, starts)
    expert = expert_returns(task, starts) if own is None else own.returns
    results = []
    for name in names:
        policy = load_policy(name, task)
        if own is not None and name in _names_of(task):
            results.append(_row(name, policy, starts, expert, plan.seed, flight=own))
            continue
        held_out = held_out_figures(policy, plan.data, training_config(name, policy, plan.split))
        for iterations, cold in _ways(policy, plan):
            progress(f"{Path(name).name}, {'cold' if cold else iterations}")
            way = (plan.seed, iterations, cold)
            results.append(_row(Path(name).name, policy, starts, expert, *way, held_out))
    return Evaluation(results, differences(results, expert), expert)


def _own_flight(names: Sequence[str], task: Task, starts: Starts) -> Flight | None:
    """The expert's flight where it is asked for by name: flown once, for its row and for all others."""
    if not set(names) & set(_names_of(task)):
        return None
    return fly(load_policy("expert", task), starts)


def _names_of(task: Task) -> tuple[str, ...]:
    return _MPC if load_policy("expert", task).config.variant in _MPC else ("expert",)


def evaluate_policy(name: str, policy: Policy, starts: Starts, seed: int = 0) -> PolicyResult:
    """One expert's figures, beside itself."""
    return _row(name, policy, starts, None, seed)


def _ways(policy: Policy, plan: Plan) -> list[tuple[int, bool]]:
    """(iterations, cold) of a policy's rows; what has no network has one."""
    if not policy.config.learned:
        return [(1, False)]
    return [(i, False) for i in plan.iterations] + ([(1, True)] if plan.cold else [])


def _row(
    name: str, policy: Policy, starts: Starts, expert: Array | None, seed: int, iterations: int = 1,
    cold: bool = False, held_out: HeldOutFigures | None = None, flight: Flight | None = None,
) -> PolicyResult:  # fmt: skip
    flight = flight or fly(policy, starts, iterations, cold)
    figures = flight_figures(policy.task, flight, flight.returns if expert is None else expert)
    times = step_times(policy, starts, iterations, cold)
    return PolicyResult(
        name, policy.task.name, len(starts.x), seed, iterations, cold, held_out or HeldOutFigures(), figures,
        times, flight.returns, failed_flags(flight.rollout),
    )  # fmt: skip


def training_config(name: str, policy: Policy, split: int | None = None) -> TrainConfig | None:
    """How a bundle was trained, by its eval.json, else as the defaults are; another split if it is given.
    None for what has no network."""
    if not policy.config.learned:
        return None
    try:
        evaluation = read_json(find_bundle(name, policy.task.name) / "eval.json")
        config = replace(TrainConfig.from_json(evaluation["training"]["config"]), policy=policy.config)
    except (DeqmpcError, KeyError, TypeError):
        config = TrainConfig(policy.config, stream_rounds=rounds_per_tick(policy.task.name))
    return config if split is None else replace(config, split=split)


def held_out_figures(policy: Policy, data: Path | None, config: TrainConfig | None) -> HeldOutFigures:
    """Errors on the held-out tenth of a data set; without data or network none."""
    if data is None or config is None:
        return HeldOutFigures()
    windows = held_out_windows(policy, data, config)
    errors = held_out_errors(policy, windows, _VALIDATION_WINDOWS, config)
    return HeldOutFigures(errors.error, errors.cold, errors.warm, errors.rounds.tolist())


def held_out_windows(policy: Policy, data: Path, config: TrainConfig) -> Windows:
    """The held-out windows of a data set, as training cuts them."""
    task = policy.task
    _, held_out = load_episodes(data, task).split(config.split)
    return Windows(held_out, config.window, task.system, task=None if task.fixed_layout else task)
