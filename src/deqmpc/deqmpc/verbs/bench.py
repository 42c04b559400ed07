"""`deqmpc bench margin`: the success rate of a policy over rotor lag, mass and motion-capture latency.
`deqmpc bench solver`: the solver side by side with its peers.
`deqmpc bench training`: one training step, split into network and solver."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.progress import Progress

from deqmpc_sim.margin import MarginGrid, measure, table
from deqmpc_train.verbs.ending import AGAIN, status_of


@dataclass(frozen=True)
class Margin:
    """Fly a policy in every cell of the grid, in process; a stopped run goes on where it stood."""

    grid: tyro.conf.OmitArgPrefixes[MarginGrid] = field(default_factory=MarginGrid)
    json: Path = Path("runs/margin.json")
    """Where the cells are kept."""
    jobs: int = os.cpu_count() or 1
    """Worker processes."""


@dataclass(frozen=True)
class Solver:
    """Time the solver and every peer that is installed on the same problems, taking turns in one run."""

    json: Path | None = None
    """A file for the figures."""
    markdown: Path | None = None
    """A file for the tables that are printed."""
    quick: bool = False
    """A short set of problems."""
    threads: int = 1
    """CPU threads."""
    tolerance: float = 5e-5
    """Of every solver."""


@dataclass(frozen=True)
class Training:
    """Time a training step, its solver and the streamed one beside it, and the torch backend's solver on the
    same calls."""

    task: str = "quadrotor"
    variant: str = "deqmpc-deq"
    hidden: int = 128
    batch: int = 200
    rounds: int = 6
    threads: int = 2
    """CPU threads."""
    repetitions: int = 7
    torch_repetitions: int = 2
    """Of the torch backend's solves; they are slow."""
    json: Path | None = None
    """A file for the figures."""
    markdown: Path | None = None
    """A file for the table that is printed."""


OPTIONS: dict[str, type] = {"margin": Margin, "solver": Solver, "training": Training}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command: Any = tyro.extras.subcommand_cli_from_dict(OPTIONS, args=arguments, prog="deqmpc bench")
    go_on = AGAIN if isinstance(command, Margin) else ""
    return status_of("bench", lambda: _measured(command), Console(stderr=True), go_on)


def _measured(command: Any) -> None:
    sys.stdout.write(_RUN[type(command)](command) + "\n")


def _margin(command: Margin) -> str:
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("cells", total=None)
        cells = measure(
            command.grid,
            command.json,
            command.jobs,
            lambda done, total: bar.update(job, completed=done, total=total),
        )
    return table(command.grid, cells)


def _solver(command: Solver) -> str:
    from deqmpc_train.bench.cases import Settings
    from deqmpc_train.bench.report import markdown, run

    settings = Settings(quick=command.quick, threads=command.threads, tolerance=command.tolerance)
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("cells", total=None)
        report = run(
            settings, lambda done, total, what: bar.update(job, completed=done, total=total, description=what)
        )
    return _written(command, report, markdown(report))


def _training(command: Training) -> str:
    from deqmpc_train.bench.training import TrainingSettings, markdown, run

    wanted = {name: getattr(command, name) for name in TrainingSettings._fields if hasattr(command, name)}
    with Console(stderr=True).status("…") as status:
        report = run(TrainingSettings(**wanted), status.update)
    return _written(command, report, markdown(report))


def _written(command: Solver | Training, report: dict[str, Any], text: str) -> str:
    """The page, once both are where the command wants them."""
    from deqmpc_core.files import write_json, write_text

    if command.json:
        write_json(command.json, report)
    if command.markdown:
        write_text(command.markdown, text)
    return text


_RUN: dict[type, Callable[[Any], str]] = {Margin: _margin, Solver: _solver, Training: _training}
