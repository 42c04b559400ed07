"""deqmpc policies: list, show, verify and time bundles, and the table of their results."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table as Rows

from deqmpc_core.bundle import find_bundle, list_bundles, read_config, verify_bundle
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.pages import renew
from deqmpc_train.results_table import PART, results_table


@dataclass(frozen=True)
class List:
    """List every bundle that can be named."""


@dataclass(frozen=True)
class Show:
    """Print a bundle's configuration, evaluation and card."""

    policy: Annotated[str, tyro.conf.Positional]


@dataclass(frozen=True)
class Verify:
    """Recompute the golden outputs of bundles (all of them if none is named)."""

    policies: Annotated[tuple[str, ...], tyro.conf.Positional] = ()


@dataclass(frozen=True)
class Table:
    """Print the results of the learned policies under a folder, from their eval.json.

    models: the folder. readme: a page with the two markers, between which the table is put. check: change
    nothing, but fail where the page holds another table.
    """

    models: Path = Path("models")
    readme: Path | None = None
    check: bool = False


@dataclass(frozen=True)
class Time:
    """Measure the milliseconds a step of evaluated bundles (all learned ones if none is named) at B = 1, and
    write them into their eval.json: on a machine that has nothing else to do, as an evaluation's may not.

    threads: CPU threads.
    """

    policies: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    threads: int = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command = tyro.cli(List | Show | Verify | Table | Time, prog="deqmpc policies", args=argv)
    console = Console()
    try:
        if isinstance(command, Show):
            _show(find_bundle(command.policy), console)
        elif isinstance(command, Verify):
            return _verify(command.policies, console)
        elif isinstance(command, Table):
            return _table(command, console)
        elif isinstance(command, Time):
            _time(command, console)
        else:
            _list(console)
    except DeqmpcError as error:
        Console(stderr=True).print(f"deqmpc policies: {error}", style="red", markup=False, highlight=False)
        return 1
    return 0


def _list(console: Console) -> None:
    table = Rows("policy", "task", "variant", "hidden", "place")
    for directory in list_bundles():
        config = read_config(directory)
        table.add_row(directory.name, config.task, config.variant, str(config.hidden), str(directory))
    console.print(table)


def _show(directory: Path, console: Console) -> None:
    console.print_json(json.dumps(read_config(directory).to_json()))
    for name in ("README.md", "eval.json"):
        file = directory / name
        if file.is_file():
            console.print(file.read_text(), markup=False, highlight=False)


def _verify(names: Sequence[str], console: Console) -> int:
    """Print a line per bundle; the exit code says whether all are sound."""
    directories = [find_bundle(n) for n in names] or list_bundles()
    broken = 0
    for directory in directories:
        try:
            console.print(f"{directory}: sound (largest difference {verify_bundle(directory):.1e})")
        except DeqmpcError as error:
            broken += 1
            console.print(f"{directory}: {error}", style="red", markup=False, highlight=False)
    return 1 if broken else 0


def _time(command: Time, console: Console) -> None:
    """Print a line per row of the evaluations."""
    import torch

    from deqmpc_train.eval.times import measure_again

    torch.set_num_threads(command.threads)
    directories = [find_bundle(n) for n in command.policies]
    for directory in directories or [d for d in list_bundles() if read_config(d).learned]:
        for row in measure_again(directory):
            console.print(f"{directory.name}: {row['ms_per_step']:.2f} ms a step")


def _table(command: Table, console: Console) -> int:
    made = results_table(command.models)
    if command.readme is None:
        console.print(made, markup=False, highlight=False, soft_wrap=True)
        return 0
    current = renew(command.readme, {PART: made}, command.check)
    if command.check and not current:
        Console(stderr=True).print(
            f"'{command.readme}' holds another table; run deqmpc policies table --readme {command.readme}"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
