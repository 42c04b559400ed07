"""What the reader may choose from."""

from pathlib import Path

from deqmpc_core.bundle import list_bundles, read_config
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.policies import UNLEARNED

PLAIN = tuple(name for name in UNLEARNED if not name.startswith("expert"))
"""Policies of the drone that need no bundle."""


def choices(task: str, first: str) -> list[str]:
    """Names of the policies for the task, `first` in front: a path or name as the user gave it. Bundles that
    cannot be read are left out."""
    names = [first]
    for directory in list_bundles():
        try:
            fits = read_config(directory).task == task
        except DeqmpcError:
            continue
        same = directory.name in (Path(first).name, f"{task}-{first}")
        if fits and not same:
            names.append(directory.name)
    return [*names, *(name for name in PLAIN if name != first)]
