"""`deqmpc bench margin`: the success rate of a policy over rotor lag, mass and motion-capture latency.
`deqmpc bench solver`: the solver side by side with its peers."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import Progress

from deqmpc_core.errors import DeqmpcError
from deqmpc_sim.margin import MarginGrid, measure, table


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    commands = {"margin": Margin, "solver": Solver}
    command = tyro.extras.subcommand_cli_from_dict(commands, args=arguments, prog="deqmpc bench")
    try:
        text = _solver(command) if isinstance(command, Solver) else _margin(command)
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc bench: {error}\n")
        return 2
    sys.stdout.write(text + "\n")
    return 0


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
    from deqmpc_train.bench.report import markdown, run, write_json

    settings = Settings(quick=command.quick, threads=command.threads, tolerance=command.tolerance)
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("cells", total=None)
        report = run(
            settings, lambda done, total, what: bar.update(job, completed=done, total=total, description=what)
        )
    text = markdown(report)
    if command.json:
        write_json(report, command.json)
    if command.markdown:
        command.markdown.parent.mkdir(parents=True, exist_ok=True)
        command.markdown.write_text(text)
    return text
