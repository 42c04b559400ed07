"""What stands beside a policy in every table: the expert's return and three plain policies on the same
starts."""

from collections.abc import Callable
from typing import Any

import torch

from deqmpc_core import load_policy
from deqmpc_core.flight import CommanderConfig
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.tasks import Task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.in_process import fly_episode
from deqmpc_sim.plant_flight import fly_plant
from deqmpc_sim.referee import EpisodeResult

BASELINES = {"hover": "hover", "straight_line": "straight-line", "goal_mpc": "goal-mpc"}
"""Key in the summary and name of the policy."""
PLANT_BASELINES = ("goal_mpc",)
"""Those of a robot other than the drone."""


def expert_returns(
    task: Task, seed: int, episodes: int, steps: int, done: Callable[[], None]
) -> list[float | None]:
    """The expert's return from each start in the batch environment; None where there is no expert for the
    task."""
    try:
        from deqmpc_sim.envs import expert_return
    except ImportError:
        return [None] * episodes
    returns: list[float | None] = []
    for episode in range(episodes):
        returns.append(float(expert_return(task, seed, episode, steps)))
        done()
    return returns


def fly_baseline(
    name: str,
    task: Task,
    seed: int,
    episodes: int,
    steps: int,
    truth: TruthConfig,
    commander: CommanderConfig,
    done: Callable[[], None],
) -> list[dict[str, Any]]:
    """One baseline in this process, in the lock-step of the nodes, on the same starts and truth as the
    run."""
    torch.set_num_threads(1)
    policy = load_policy(BASELINES[name], task=task)
    flights: list[dict[str, Any]] = []
    for episode in range(episodes):
        if task.system.name in PLANTS:
            result = fly_plant(task, policy, truth, seed, episode, steps).result
        else:
            result = fly_episode(
                task, policy, truth, seed, episode, commander=commander, steps=steps, land=False
            ).result
        flights.append({"seed": seed, "episode": episode, **_figures(result)})
        done()
    return flights


def _figures(result: EpisodeResult) -> dict[str, Any]:
    return {
        "return": result.return_,
        "success": result.success,
        "failure": result.failure,
        "final_distance": result.final_distance,
        "min_obstacle_distance": result.min_obstacle_distance,
    }
