"""`deqmpc bench margin`: the success rate of a policy over rotor lag, mass and motion-capture latency."""

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command = tyro.extras.subcommand_cli_from_dict({"margin": Margin}, args=arguments, prog="deqmpc bench")
    try:
        with Progress(console=Console(stderr=True)) as bar:
            job = bar.add_task("cells", total=None)
            cells = measure(
                command.grid,
                command.json,
                command.jobs,
                lambda done, total: bar.update(job, completed=done, total=total),
            )
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc bench: {error}\n")
        return 2
    sys.stdout.write(table(command.grid, cells) + "\n")
    return 0
