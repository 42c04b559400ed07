"""deqmpc policies: list, show, verify and time bundles, and the table of their results."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table as Rows

from deqmpc_core.bundle import find_bundle, list_bundles, read_config, verify_bundle
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.files import write_json
from deqmpc_core.pages import renew
from deqmpc_train.results_table import PART, results_table
from deqmpc_train.verbs.ending import status_of


@dataclass(frozen=True)
class List:
    """List every bundle that can be named. json: a file for the list."""

    json: Path | None = None


@dataclass(frozen=True)
class Show:
    """Print a bundle's configuration, evaluation and card."""

    policy: Annotated[str, tyro.conf.Positional]


@dataclass(frozen=True)
class Verify:
    """Recompute the golden outputs of bundles (all of them if none is named). json: a file for the
    differences."""

    policies: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    json: Path | None = None


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
    """Measure the milliseconds a step of evaluated bundles (all learned ones if none is named) at B = 1,
    those of a task in turns, and write them into eval.json and card: on a machine that has nothing else to
    do, as an evaluation's may not.

    threads: CPU threads. json: a file for the figures.
    """

    policies: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    threads: int = 1
    json: Path | None = None


OPTIONS: dict[str, type] = {"list": List, "show": Show, "verify": Verify, "table": Table, "time": Time}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command: Any = tyro.extras.subcommand_cli_from_dict(OPTIONS, prog="deqmpc policies", args=argv)
    console = Console()
    return status_of("policies", lambda: _RUN[type(command)](command, console), console, "")


def _list(command: List, console: Console) -> None:
    table, told = Rows("policy", "task", "variant", "hidden", "place"), []
    for directory in list_bundles():
        config = read_config(directory)
        table.add_row(directory.name, config.task, config.variant, str(config.hidden), str(directory))
        told.append({"policy": directory.name, "place": str(directory), **config.to_json()})
    console.print(table)
    if command.json:
        write_json(command.json, {"policies": told})


def _show(command: Show, console: Console) -> None:
    directory = find_bundle(command.policy)
    console.print_json(json.dumps(read_config(directory).to_json()))
    for name in ("README.md", "eval.json"):
        file = directory / name
        if file.is_file():
            console.print(file.read_text(), markup=False, highlight=False)


def _verify(command: Verify, console: Console) -> int:
    """Print a line per bundle; the exit code says whether all are sound."""
    directories = [find_bundle(n) for n in command.policies] or list_bundles()
    told: list[dict[str, Any]] = []
    for directory in track(directories, "verifying", console=Console(stderr=True), transient=True):
        told.append({"policy": directory.name, "place": str(directory)})
        try:
            told[-1]["largest_difference"] = worst = verify_bundle(directory)
            console.print(f"{directory}: sound (largest difference {worst:.1e})")
        except DeqmpcError as error:
            told[-1]["error"] = str(error)
            console.print(f"{directory}: {error}", style="red", markup=False, highlight=False)
    if command.json:
        write_json(command.json, {"policies": told})
    return int(any("error" in entry for entry in told))


def _time(command: Time, console: Console) -> None:
    """Print a line per row of the evaluations."""
    import torch

    from deqmpc_train.eval.times import measure_again

    torch.set_num_threads(command.threads)
    named = [find_bundle(n) for n in command.policies]
    directories = named or [d for d in list_bundles() if read_config(d).learned]
    told = []
    total, bar = len(directories), Console(stderr=True)
    for directory, rows in track(measure_again(directories), "timing", total, console=bar, transient=True):
        for row in rows:
            console.print(f"{directory.name}: {row['ms_per_step']:.2f} ms a step")
            told.append({"policy": directory.name, **row})
    if command.json:
        write_json(command.json, {"policies": told})


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


_RUN: dict[type, Callable[[Any, Console], int | None]] = {
    List: _list, Show: _show, Verify: _verify, Table: _table, Time: _time,
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
