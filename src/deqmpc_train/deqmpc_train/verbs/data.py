"""`deqmpc data generate`: fly the expert and keep its episodes."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import Progress

from deqmpc_train.data import DataConfig, generate


@dataclass(frozen=True)
class Generate:
    """Fly the expert in the batch environment and write a data set."""

    out: Path
    """Directory of the data set; must not exist yet."""
    data: tyro.conf.OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    jobs: int = os.cpu_count() or 1
    """Worker processes."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point of the verb."""
    command = tyro.extras.subcommand_cli_from_dict({"generate": Generate}, args=arguments, prog="deqmpc data")
    with Progress(console=Console(stderr=True)) as bar:
        job = bar.add_task("expert flights", total=None)
        path = generate(
            command.data,
            command.out,
            command.jobs,
            lambda done, total: bar.update(job, completed=done, total=total),
        )
    Console().print(f"wrote {path}")
    return 0
