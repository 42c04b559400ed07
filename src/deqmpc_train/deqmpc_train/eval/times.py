"""Milliseconds a step of bundles that have been evaluated, measured again."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from deqmpc_core.bundle import load_policy
from deqmpc_core.files import read_json, write_json
from deqmpc_core.policies import Policy
from deqmpc_train.card import renew_card
from deqmpc_train.eval.flights import Starts, StepTimes, seeded_starts, step_times

TURNS = 5


class Timed(NamedTuple):
    """What is timed: a policy from B starts, of which each turn takes one; iterations and cold as in
    `fly`."""

    policy: Policy
    starts: Starts
    iterations: int = 1
    cold: bool = False


def times_in_turns(timed: Sequence[Timed], turns: int = TURNS) -> list[list[StepTimes]]:
    """For each, the times of its turns. A turn goes round all of them, so that what the machine does
    meanwhile falls on all alike."""
    found: list[list[StepTimes]] = [[] for _ in timed]
    for turn in range(turns):
        for one, times in zip(timed, found, strict=True):
            row = turn % len(one.starts.x)
            centers = None if one.starts.centers is None else one.starts.centers[row : row + 1]
            start = Starts(one.starts.x[row : row + 1], centers)
            times.append(step_times(one.policy, start, one.iterations, one.cold))
    return found


def measure_again(places: Sequence[Path]) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """The rows of each bundle's evaluation with their times as they are on this machine now, medians over
    turns, the bundles of a task in turns; written back, and onto the cards."""
    policies = [(place, load_policy(str(place))) for place in places]
    for _, group in groupby(policies, key=lambda pair: pair[1].task.name):
        loaded = list(group)
        told = [read_json(place / "eval.json") for place, _ in loaded]
        rows = [
            (policy, row)
            for (_, policy), values in zip(loaded, told, strict=True)
            for row in values.get("evaluation", [])
        ]
        timed = [
            Timed(policy, seeded_starts(policy.task, row["seed"], 1), row["iterations"], row["cold"])
            for policy, row in rows
        ]
        for (_, row), times in zip(rows, times_in_turns(timed), strict=True):
            row |= StepTimes(*np.median(np.array(times), axis=0).tolist())._asdict()
        for (place, _), values in zip(loaded, told, strict=True):
            if values.get("evaluation"):
                write_json(place / "eval.json", values)
                renew_card(place)
            yield place, values.get("evaluation", [])
