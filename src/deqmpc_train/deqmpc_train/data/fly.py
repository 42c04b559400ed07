"""Flying a part of a data set: seeded starts, a policy in the batch environment, episodes as kept."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.task import HOLD
from deqmpc_sim.envs import Rollout, roll_out
from deqmpc_train.data.episodes import Array, Episode


class Flights(NamedTuple):
    """What came of a part: the episodes kept, and how many were dropped for which reason."""

    kept: list[Episode]
    dropped: dict[str, int]


def fly(
    task: Task, policy: Policy, seed: int, numbers: Sequence[int], steps: int, spread: bool = False,
    iterations: int = 1,
) -> Flights:  # fmt: skip
    """Fly episodes `numbers` of a seed; a start depends on (seed, number) alone. spread: start from states
    met in mid-flight instead.
    """
    starts = np.stack([_start(task, seed, e, spread) for e in numbers])
    centers = initial_centers(task, seed, numbers)
    with torch.inference_mode():
        flight = roll_out(
            task, policy, torch.from_numpy(starts), steps, iterations,
            None if centers is None else torch.from_numpy(centers),
        )  # fmt: skip
        ends = last_steps(task, flight.states).tolist()
    kept = [
        Episode(
            flight.states[b, : ends[b] + 1].numpy(), flight.actions[b, : ends[b]].numpy(),
            None if centers is None else centers[b], e,
        )
        for b, e in enumerate(numbers) if flight.failures[b] is None
    ]  # fmt: skip
    return Flights(kept, _counted(flight))


def _start(task: Task, seed: int, episode: int, spread: bool) -> Array:
    if spread:
        return task.spread_start(np.random.default_rng((seed, episode)))
    return task.start(seed, episode)


def initial_centers(task: Task, seed: int, numbers: Sequence[int]) -> Array | None:
    """Spheres (E, k, 3) at each episode's start; None where they are the task's own and stand still."""
    if task.spheres is None:
        return None
    centers = [task.obstacles(seed, e) for e in numbers]
    own = task.spheres.center.numpy()
    if not task.moving and all(c is not None and np.array_equal(c, own) for c in centers):
        return None
    return np.stack([own if c is None else c for c in centers])


def last_steps(task: Task, states: Tensor) -> Tensor:
    """The step (B,) at which each episode of states (B, S+1, n) ends: at success where the task says so."""
    steps = states.shape[1] - 1
    if not task.ends_at_success or steps < HOLD:
        return torch.full((states.shape[0],), steps)
    held = task.near(states[:, 1:]).unfold(1, HOLD, 1).all(-1)
    first = held.to(torch.int8).argmax(1) + HOLD
    return torch.where(held.any(1), first, steps)


def _counted(flight: Rollout) -> dict[str, int]:
    return dict(sorted(Counter(why for why in flight.failures if why is not None).items()))
