"""deqmpc paper: the paper's figures and tables, our numbers beside its claims."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from deqmpc_core.errors import ConfigError, JobError
from deqmpc_core.files import write_json
from deqmpc_train.paper.ledger import FILE, Ledger
from deqmpc_train.paper.options import SweepOptions, command_line, compute, figures_of
from deqmpc_train.paper.publish import index, jobs_of, publish
from deqmpc_train.sweep import Store
from deqmpc_train.verbs.ending import status_of


@dataclass(frozen=True)
class PaperArguments:
    """Make figures of the paper: fig2 to fig10, convergence (A.2), timing (A.3), table1, or all.

    For each a picture, a page with what the paper claims and whether we agree, and the numbers. What has been
    computed is kept and never computed again; a run that was stopped goes on. docs/paper.md tells more.

    figures: which. out: the folder they go to (default runs/paper/<budget>); what it has in jobs.jsonl, made
    here or elsewhere, is not computed again. draw_only: compute nothing, draw
    from the results that are there. json: a file for all claims and numbers.
    """

    figures: Annotated[tuple[str, ...], tyro.conf.Positional]
    options: Annotated[SweepOptions, tyro.conf.arg(name="")] = field(default_factory=SweepOptions)
    out: Path | None = None
    draw_only: bool = False
    json: Path | None = None


OPTIONS = PaperArguments


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(PaperArguments, prog="deqmpc paper", args=argv)
    console = Console()

    def work() -> None:
        told = _make(arguments)
        console.print(_verdicts(told))
        if arguments.json:
            write_json(arguments.json, {"figures": told})

    return status_of("paper", work, console)


def _make(arguments: PaperArguments) -> list[dict[str, Any]]:
    options, figures = arguments.options, figures_of(arguments.figures)
    out = arguments.out or Path("runs") / "paper" / options.budget
    plan, ledger = options.plan(), Ledger(Store(options.store), out / FILE)
    jobs = jobs_of(figures, plan)
    failed: JobError | None = None
    try:
        if not arguments.draw_only:
            compute([job for job in jobs if not ledger.done(job)], options)
    except JobError as error:
        failed = error
    ledger.keep(jobs)
    whole = [f for f in figures if all(map(ledger.done, jobs_of([f], plan)))]
    told = [publish(f, plan, ledger, out, command_line(f.name, options)) for f in whole]
    index(out)
    if failed:  # raised when what is complete has been drawn
        raise failed
    if missing := [f.name for f in figures if f not in whole]:
        raise ConfigError(f"no results for {', '.join(missing)}; run without --draw-only")
    return told


def _verdicts(told: list[dict[str, Any]]) -> Table:
    table = Table("figure", "the paper says", "verdict", box=None)
    for figure in told:
        for claim in figure["claims"]:
            table.add_row(figure["figure"], claim["text"], claim["verdict"])
    return table


if __name__ == "__main__":
    sys.exit(main())
