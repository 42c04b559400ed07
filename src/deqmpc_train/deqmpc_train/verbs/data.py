"""deqmpc data: generate, import, from-bags, repair, info, plot."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deqmpc_core.errors import DataError
from deqmpc_core.files import write_json
from deqmpc_core.tasks import load_task
from deqmpc_train.data import (
    DataConfig,
    data_task,
    generate,
    import_arrays,
    import_bags,
    load_episodes,
    read_info,
    read_stats,
)
from deqmpc_train.data.published import PUBLISHED, TOLERANCE
from deqmpc_train.data.repair import broken_bags, repair
from deqmpc_train.data.report import bag_table, facts_table, spread_table
from deqmpc_train.verbs.ending import status_of

_ETA_PERIOD = 3600.0  # s over which the pace is taken: a part of a data set can take minutes


@dataclass(frozen=True)
class Generate:
    """Fly a policy, by default the task's expert, in the batch environment and keep its episodes.

    out: directory of the data set (default data/<task>); must not exist yet. jobs: worker processes. The same
    command gives the same bytes, and goes on where a killed one stood. json: a file for its info.json.
    """

    out: Path | None = None
    data: tyro.conf.OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    jobs: int = os.cpu_count() or 1
    json: Path | None = None


@dataclass(frozen=True)
class Import:
    """Make a data set of published arrays: state (N, L, n), action (N, L, m), length (N,) in an .npz file.

    out: directory of the data set. option: NAME=VALUE, the task's options the data were made with (by default
    those known for the published files). tolerance: largest difference from the plant's successor. json: a
    file for the figures.
    """

    file: Annotated[Path, tyro.conf.Positional]
    task: str
    out: Path
    option: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    json: Path | None = None


@dataclass(frozen=True)
class FromBags:
    """Make a data set of recordings, each flight an episode; bags that do not fit are refused by name.

    places: bags, or folders of them. out: directory of the data set. body: the rigid body's name, by default
    the only one recorded. option: NAME=VALUE, changes the task. json: a file for the summary.
    """

    places: Annotated[tuple[Path, ...], tyro.conf.Positional]
    out: Path
    task: str = "crazyflie"
    body: str = ""
    option: tuple[str, ...] = ()
    json: Path | None = None


@dataclass(frozen=True)
class Repair:
    """Close recordings that a kill or a power cut left open (<name>.active); every whole second is kept.

    places: such folders, bags, or folders that have them below. json: a file for what became of each.
    """

    places: Annotated[tuple[Path, ...], tyro.conf.Positional]
    json: Path | None = None


@dataclass(frozen=True)
class Info:
    """Say what a data set holds. json: a file for info.json and stats.json together."""

    directory: Annotated[Path, tyro.conf.Positional]
    json: Path | None = None


@dataclass(frozen=True)
class Plot:
    """Draw histograms and traces of a data set. out: the picture. traces: how many episodes over time."""

    directory: Annotated[Path, tyro.conf.Positional]
    out: Path
    traces: int = 8


Command = Generate | Import | FromBags | Repair | Info | Plot
OPTIONS: dict[str, type] = {
    "generate": Generate, "import": Import, "from-bags": FromBags, "repair": Repair, "info": Info,
    "plot": Plot,
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command: Any = tyro.extras.subcommand_cli_from_dict(OPTIONS, args=argv, prog="deqmpc data")
    return status_of("data", lambda: _run(command, Console()), Console(stderr=True))


def _run(command: Command, console: Console) -> int:
    if isinstance(command, Generate):
        return _generate(command, console)
    if isinstance(command, Import):
        return _import(command, console)
    if isinstance(command, FromBags):
        return _from_bags(command, console)
    if isinstance(command, Repair):
        return _repair(command, console)
    if isinstance(command, Info):
        return _info(command, console)
    return _plot(command, console)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("time left"),
        TimeRemainingColumn(), console=Console(stderr=True), speed_estimate_period=_ETA_PERIOD,
    )  # fmt: skip


def _generate(command: Generate, console: Console) -> int:
    out = command.out or Path("data") / command.data.task
    with _progress() as bar:
        job = bar.add_task("episodes", total=None)
        generate(
            command.data, out, command.jobs,
            lambda done, total: bar.update(job, completed=done, total=total),
        )  # fmt: skip
    _say_written(out, console)
    if command.json:
        write_json(command.json, {"info": read_info(out)})
    return 0


def _say_written(out: Path, console: Console) -> None:
    info = read_info(out)
    dropped = "".join(f", {count} dropped: {why}" for why, count in info["dropped"].items())
    console.print(f"wrote {out}: {info['episodes']} episodes, {info['steps']} steps{dropped}", soft_wrap=True)


def _import(command: Import, console: Console) -> int:
    words = (*PUBLISHED.get(command.task, ()), *command.option)
    task, options = data_task(command.task, words)
    with Console(stderr=True).status(f"importing {command.file}"):
        worst = import_arrays(command.file, task, options, command.out, command.tolerance)
    _say_written(command.out, console)
    console.print(f"largest difference from the plant's successor: {worst:.2g}")
    if command.json:
        write_json(command.json, {"info": read_info(command.out), "largest_difference": worst})
    return 0


def _from_bags(command: FromBags, console: Console) -> int:
    task, options = data_task(command.task, command.option)
    with _progress() as bar:
        job = bar.add_task("bags", total=None)
        summary = import_bags(
            command.places, task, options, command.out, command.body,
            lambda done, total: bar.update(job, completed=done, total=total),
        )  # fmt: skip
    console.print(bag_table(summary))
    for bag, reason in summary.refused.items():
        console.print(f"refused {bag}: {reason}", markup=False, highlight=False, soft_wrap=True)
    if command.json:
        write_json(command.json, summary.to_json())
    if not summary.episodes:
        console.print("no episode is left: nothing was written")
        return 1
    _say_written(command.out, console)
    return 0


def _repair(command: Repair, console: Console) -> int:
    bags = broken_bags(command.places)
    if not bags:
        console.print("nothing to repair: no bag was left open")
    told: list[dict[str, Any]] = []
    for bag in bags:
        try:
            done = repair(bag)
            line = f"{done.bag}: {done.messages} messages, {done.note or 'nothing was wrong'}"
            told.append({"bag": str(done.bag), "messages": done.messages, "note": done.note})
        except DataError as error:
            line = f"refused {error}"
            told.append({"bag": str(bag), "refused": str(error)})
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if command.json:
        write_json(command.json, {"bags": told})
    return int(any("refused" in entry for entry in told))


def _info(command: Info, console: Console) -> int:
    info, stats = read_info(command.directory), read_stats(command.directory)
    console.print(facts_table(info, stats))
    console.print(spread_table(info, stats))
    if command.json:
        write_json(command.json, {"info": info, "stats": stats})
    return 0


def _plot(command: Plot, console: Console) -> int:
    from deqmpc_train.data.plot import plot_data_set

    info = read_info(command.directory)
    task = load_task(info["task"], **info.get("task_options", {}))
    with Console(stderr=True).status(f"drawing {command.out}"):
        plot_data_set(load_episodes(command.directory, task), task, command.out, command.traces)
    console.print(f"wrote {command.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
