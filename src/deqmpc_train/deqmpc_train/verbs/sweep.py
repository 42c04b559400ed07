"""deqmpc sweep: the jobs behind the paper's figures, with a live table."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from deqmpc_core.files import write_json
from deqmpc_train.paper.cost import cost, markdown
from deqmpc_train.paper.options import ALL, SweepOptions, all_jobs, compute
from deqmpc_train.paper.publish import spent
from deqmpc_train.sweep import Job, Store, closure
from deqmpc_train.sweep.board import duration
from deqmpc_train.verbs.ending import status_of


@dataclass(frozen=True)
class SweepArguments:
    """Compute the jobs of figures without drawing them; `deqmpc paper` then finds them done. It may be killed
    at any time: the same command goes on where it stood.

    figures: which, by default all. tasks: of these tasks alone, by default all. status: compute nothing,
    only say how the jobs stand, those of a sweep that runs elsewhere too. cost: compute nothing, but time
    some steps of each kind of training and say what all jobs take, and on how many workers (minutes).
    json: a file for how they stand, or what they cost.
    """

    figures: Annotated[tuple[str, ...], tyro.conf.Positional] = (ALL,)
    options: Annotated[SweepOptions, tyro.conf.arg(name="")] = field(default_factory=SweepOptions)
    tasks: tuple[str, ...] = ()
    status: bool = False
    cost: bool = False
    json: Path | None = None


OPTIONS = SweepArguments


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(SweepArguments, prog="deqmpc sweep", args=argv)
    console = Console()

    def work() -> None:
        jobs = all_jobs(arguments.figures, arguments.options, arguments.tasks)
        if arguments.cost:
            return _tell_cost(jobs, arguments, console)
        if not arguments.status:
            report = compute(jobs, arguments.options)
            console.print(f"{len(report.computed)} jobs computed, {report.kept} had their results")
        standing = _standing(jobs, Store(arguments.options.store))
        console.print(_table(standing))
        if arguments.json:
            write_json(arguments.json, {"kinds": standing})

    return status_of("sweep", work, console)


def _tell_cost(asked: list[Job], arguments: SweepArguments, console: Console) -> None:
    options = arguments.options
    torch.set_num_threads(1)  # as a worker of the local executor
    told = cost(asked, Store(options.store), options.device, lambda words: console.print(words, style="dim"))
    command = ["deqmpc", "sweep", *arguments.figures, "--budget", options.budget, "--cost"]
    command += ["--tasks", *arguments.tasks] if arguments.tasks else []
    device = [] if options.device == "cpu" else ["--device", options.device]
    console.print(markdown(told, shlex.join([*command, *device])), soft_wrap=True, markup=False)
    if arguments.json:
        write_json(arguments.json, told)


def _standing(asked: list[Job], store: Store) -> list[dict[str, Any]]:
    """Jobs by kind, and all: how many, done, under way or broken off, failed, and the seconds they took."""
    jobs = list(closure(asked).values())
    rows: list[dict[str, Any]] = []
    for kind in dict.fromkeys(job.kind for job in jobs):
        mine = [job for job in jobs if job.kind == kind]
        done = [job for job in mine if store.done(job)]
        failed = [job for job in mine if store.error(job).is_file()]
        begun = sum(store.part(job).is_dir() for job in mine) - len(failed)
        seconds = sum(store.seconds(job)[0] for job in done)
        rows.append({"kind": kind, "jobs": len(mine), "done": len(done), "begun": begun,
                     "failed": len(failed), "seconds": seconds})  # fmt: skip
    hours, _ = spent(jobs, store)
    done = sum(store.done(job) for job in jobs)
    return [*rows, {"kind": "all", "jobs": len(jobs), "done": done, "seconds": 3600.0 * hours}]


def _table(standing: list[dict[str, Any]]) -> Table:
    table = Table("kind", "jobs", "done", "begun", "failed", "CPU time", box=None)
    for row in standing:
        counts = (str(row.get(key, "")) for key in ("jobs", "done", "begun", "failed"))
        table.add_row(row["kind"], *counts, duration(row["seconds"]))
    return table


if __name__ == "__main__":
    sys.exit(main())
