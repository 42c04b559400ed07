"""What judges policies, as jobs: flights, held-out errors, residuals, times, the simulated Crazyflie."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from deqmpc_core.bundle import load_policy
from deqmpc_core.files import read_json
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.in_process import fly_episode
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Windows, load_episodes
from deqmpc_train.eval.expert import expert_returns
from deqmpc_train.eval.flights import Starts, fly, seeded_starts, success
from deqmpc_train.eval.iterations import window_errors
from deqmpc_train.eval.residuals import held_out_residuals, search_on
from deqmpc_train.eval.results import failed_flags
from deqmpc_train.eval.times import Timed, times_in_turns
from deqmpc_train.paper.make import DATA, POLICY
from deqmpc_train.sweep import Work


def expert(work: Work) -> dict[str, Any]:
    """The expert's returns."""
    task = _task(work)
    return {"returns": expert_returns(task, _starts(work, task)).tolist()}


def flight(work: Work) -> dict[str, Any]:
    """A policy's returns and failures beside the expert's returns, by start."""
    if (missing := _missing(work)) is not None:
        return missing
    task = _task(work)
    flown = fly(_policy(work, task), _starts(work, task), work.config["iterations"], work.config["cold"])
    return {
        "returns": flown.returns.tolist(), "expert": work.found("expert")["returns"],
        "failed": failed_flags(flown.rollout).tolist(), "success": success(task, flown.rollout),
    }  # fmt: skip


def errors(work: Work) -> dict[str, Any]:
    """Held-out errors, summed over the windows of each episode: what is drawn again is an episode."""
    if (missing := _missing(work)) is not None:
        return missing
    policy, config = _policy(work), _trained(work)
    task = policy.task
    _, held_out = load_episodes(work.needs["data"] / DATA, task).split(config.split)
    windows = Windows(held_out, config.window, task.system, task=None if task.fixed_layout else task)
    index = np.array(windows.spread(work.config["windows"]))
    found = window_errors(policy, windows.take(index), config)
    if not np.isfinite(found.error).all():
        return {"missing": "its held-out errors are not finite"}
    rows = windows.starts[index].numpy()
    episode = np.searchsorted(held_out.bounds, rows, side="right") - 1

    def summed(values: np.ndarray) -> list[float]:
        return np.bincount(episode, values, len(held_out)).tolist()

    return {
        "windows": summed(np.ones(len(index))), "error": summed(found.error), "cold": summed(found.cold),
        "warm": summed(found.warm), "iterations": [summed(row) for row in found.iterations],
    }  # fmt: skip


def residuals(work: Work) -> dict[str, Any]:
    """Residuals by round, and whether all of them are small at the last, by held-out state."""
    if (missing := _missing(work)) is not None:
        return missing
    place, policy, config = str(work.needs["training"] / POLICY), _policy(work), work.config
    search_on(policy, config["tolerance"], config["evaluations"])
    found = held_out_residuals(place, policy, work.needs["data"] / DATA, config["states"])
    last = {name: values[-1].tolist() for name, values in found._asdict().items()}
    return {"rounds": found.to_json(), "last": last}


def times(work: Work) -> dict[str, Any]:
    """By policy: milliseconds of warm ticks at B = 1, medians of each of some flights, all in turns."""
    places = {name: place / POLICY for name, place in work.needs.items()}
    policies = {n: load_policy(str(p)) for n, p in places.items() if (p / "policy.json").is_file()}
    turns = work.config["repeats"]
    timed = [Timed(policy, seeded_starts(policy.task, 0, turns)) for policy in policies.values()]
    found: dict[str, Any] = {}
    for name, rows in zip(policies, times_in_turns(timed, turns), strict=True):
        total, network, solver = (list(column) for column in zip(*rows, strict=True))
        found[name] = {"total": total, "network": network, "solver": solver}
    return found


def simulation(work: Work) -> dict[str, Any]:
    """Flights of the simulated Crazyflie by a policy, or by a pilot that needs no training: motion capture,
    firmware, commander and policy in lock-step, as `deqmpc sim --speed max` has them in processes of their
    own; the flights are the same to the last written digit (tests/nodes/test_flight.py)."""
    pilot = work.config.get("pilot")
    if pilot is None and (missing := _missing(work)) is not None:
        return missing
    task, config = _task(work), work.config
    policy = load_policy(pilot, task) if pilot else _policy(work, task)
    flown = [
        fly_episode(task, policy, seed=config["seed"], episode=number, land=False).result
        for number in range(config["episodes"])
    ]
    return {
        "returns": [flight.return_ for flight in flown], "expert": work.found("expert")["returns"],
        "failed": [flight.failure is not None for flight in flown],
        "failures": [flight.failure for flight in flown], "success": [flight.success for flight in flown],
    }  # fmt: skip


def _task(work: Work) -> Task:
    task = load_task(work.config["task"], **work.config["options"])
    return replace(task, episode_steps=work.config["steps"]) if work.config["steps"] else task


def _starts(work: Work, task: Task) -> Starts:
    return seeded_starts(task, work.config["seed"], work.config["episodes"])


def _policy(work: Work, task: Task | None = None) -> Policy:
    return load_policy(str(work.needs["training"] / POLICY), task)


def _trained(work: Work) -> TrainConfig:
    place: Path = work.needs["training"] / POLICY / "eval.json"
    return TrainConfig.from_json(read_json(place)["training"]["config"])


def _missing(work: Work) -> dict[str, Any] | None:
    """Where no weights came out of the training: why."""
    if (work.needs["training"] / POLICY / "policy.json").is_file():
        return None
    return {"missing": work.found("training")["stopped"] or "no validation came before the end"}
