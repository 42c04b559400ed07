"""deqmpc eval: policies side by side on the same starts of the batch environment."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console
from rich.table import Column, Table

from deqmpc_core.errors import DeqmpcError
from deqmpc_core.tasks import load_task
from deqmpc_train.eval import PolicyResult, evaluate


@dataclass(frozen=True)
class EvalArguments:
    """Fly policies, given by path, name or variant, from the same starts and compare them with the expert.

    episodes, seed: the starts. iterations: rounds per warm tick. data: a data set, for the held-out error.
    json: a file for the figures. threads: CPU threads.
    """

    policies: Annotated[tuple[str, ...], tyro.conf.Positional]
    task: str = "crazyflie"
    episodes: int = 200
    seed: int = 0
    iterations: int = 1
    data: Path | None = None
    json: Path | None = None
    threads: int | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(EvalArguments, prog="deqmpc eval", args=argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        results = evaluate(
            list(arguments.policies), load_task(arguments.task), arguments.episodes, arguments.seed,
            arguments.iterations, arguments.data,
        )  # fmt: skip
    except DeqmpcError as error:
        Console(stderr=True).print(f"deqmpc eval: {error}", style="red", markup=False, highlight=False)
        return 1
    Console().print(_table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps({"policies": [r.to_json() for r in results]}, indent=2) + "\n")
    return 0


def _table(results: list[PolicyResult]) -> Table:
    columns = "policy success fail return ratio dist L1 ms net solver"
    table = Table(*(Column(name, no_wrap=True) for name in columns.split()), box=None)
    for r in results:
        error = "" if r.validation_error is None else f"{r.validation_error:.4f}"
        flight, times = r.flight, r.times
        rates = (f"{flight.success_rate:.1%}", f"{flight.failure_rate:.1%}", f"{flight.return_mean:.1f}")
        figures = (_number(flight.normalised_return, 4), _number(flight.final_distance, 3), error)
        table.add_row(r.policy, *rates, *figures, *(f"{t:.2f}" for t in times))
    return table


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    sys.exit(main())
