"""Flying a part of a data set: seeded starts, a policy in the batch environment, episodes as kept."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_sim.envs import episode_starts, roll_out
from deqmpc_train.data.episodes import Episode


class Flights(NamedTuple):
    """What came of a part: the episodes kept, and how many were dropped for which reason."""

    kept: list[Episode]
    dropped: dict[str, int]


def fly(
    task: Task, policy: Policy, seed: int, numbers: Sequence[int], steps: int, spread: bool = False,
    iterations: int = 1,
) -> Flights:  # fmt: skip
    """Fly episodes `numbers` of a seed; a start depends on (seed, number) alone. spread: start from states
    met in mid-flight instead. An episode is kept up to its end: success, where the task ends there, or the
    last step.
    """
    starts, centers = episode_starts(task, seed, numbers)
    if spread:
        starts = _spread_starts(task, seed, numbers)
    with torch.inference_mode():
        flight = roll_out(task, policy, starts, steps, iterations, centers)
    kept = []
    for b, number in enumerate(numbers):
        if flight.failures[b] is None:
            end = steps if flight.lengths is None else int(flight.lengths[b])
            states, actions = flight.states[b, : end + 1].numpy(), flight.actions[b, :end].numpy()
            kept.append(Episode(states, actions, None if centers is None else centers[b].numpy(), number))
    reasons = Counter(why for why in flight.failures if why is not None)
    return Flights(kept, dict(sorted(reasons.items())))


def _spread_starts(task: Task, seed: int, numbers: Sequence[int]) -> Tensor:
    starts = [task.spread_start(np.random.default_rng((seed, number))) for number in numbers]
    return torch.from_numpy(np.stack(starts))
