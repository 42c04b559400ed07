"""`deqmpc report`: one HTML file about a flight or a training run."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_text


@dataclass(frozen=True)
class Report:
    """Write a single HTML file about a run, which needs no network to be read.

    Of a flight: figures, path, distance to the obstacles, tick times, phases, faults, bag, policy card. Of a
    training: losses and residuals by round, validation, configuration.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """runs/<UTC time> of deqmpc sim, a folder with bags, or runs/train/<name> of deqmpc train."""
    out: Path | None = None
    """The page; by default report.html in the run's folder."""
    episode: int | None = None
    """The flight that is drawn; by default one that failed, else the one nearest to an obstacle."""


OPTIONS = Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    options = tyro.cli(Report, args=arguments, prog="deqmpc report")
    from deqmpc_train.verbs.ending import status_of

    return status_of("report", lambda: _write(options), Console(), "")


def _write(options: Report) -> None:
    out = options.out or options.run / "report.html"
    with Console(stderr=True).status(f"reading {options.run}"):
        text = _page(options)
    write_text(out, text)
    Console().print(f"wrote {out}", highlight=False, soft_wrap=True)


def _page(options: Report) -> str:
    from deqmpc.report.flight import flight_report, is_flight
    from deqmpc.report.training import is_training, training_report

    if is_flight(options.run):
        return flight_report(options.run, options.episode)
    if is_training(options.run):
        if options.episode is not None:
            raise ConfigError("--episode is for flights; this is a training run")
        return training_report(options.run)
    raise ConfigError(
        f"'{options.run}' is no run: expected a folder with summary.json, faults.json, bags, or a training's "
        "config.json and tensorboard/"
    )


if __name__ == "__main__":
    sys.exit(main())
