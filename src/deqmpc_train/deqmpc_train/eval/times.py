"""Milliseconds a step of bundles that have been evaluated, measured again."""

from pathlib import Path
from typing import Any

from deqmpc_core.bundle import load_policy
from deqmpc_core.files import read_json, write_json
from deqmpc_train.eval.flights import seeded_starts, step_times


def measure_again(directory: Path) -> list[dict[str, Any]]:
    """The rows of the bundle's evaluation with their times as they are on this machine now; written back."""
    file, policy = directory / "eval.json", load_policy(str(directory))
    told = read_json(file)
    rows: list[dict[str, Any]] = told.get("evaluation", [])
    for row in rows:
        starts = seeded_starts(policy.task, row["seed"], 1)
        row |= step_times(policy, starts, row["iterations"], row["cold"])._asdict()
    if rows:
        write_json(file, told)
    return rows
