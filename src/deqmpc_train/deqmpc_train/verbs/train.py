"""deqmpc train: from a data set to a policy bundle."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from deqmpc_core.errors import DeqmpcError
from deqmpc_train.config import Budget, Overrides, tuned
from deqmpc_train.train import train


@dataclass(frozen=True)
class TrainArguments:
    """Train a policy by imitation and save it as a bundle.

    task, variant: what to train. data: directory of a data set. out: the bundle (default
    models/<task>-<variant>). run_dir: checkpoints and logs (default runs/train/<task>-<variant>). budget:
    size of the run. resume: go on from run_dir's last checkpoint. threads: CPU threads. The other options
    change the tuned defaults.
    """

    variant: str
    data: Path
    task: str = "crazyflie"
    out: Path | None = None
    run_dir: Path | None = None
    budget: Budget = "laptop"
    resume: bool = False
    threads: int | None = None
    options: Annotated[Overrides, tyro.conf.arg(name="")] = field(default_factory=Overrides)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(TrainArguments, prog="deqmpc train", args=argv)
    console = Console()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        _train(arguments, console)
    except DeqmpcError as error:
        Console(stderr=True).print(f"deqmpc train: {error}", style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; add --resume to go on from the last checkpoint")
        return 130
    return 0


def _train(arguments: TrainArguments, console: Console) -> None:
    config = tuned(arguments.task, arguments.variant, arguments.budget, arguments.options)
    name = f"{arguments.task}-{arguments.variant}"
    out = arguments.out or Path("models") / name
    run_dir = arguments.run_dir or Path("runs") / "train" / name
    train(config, arguments.data, out, run_dir, arguments.resume, console)
    console.print(f"policy written to {out}")


if __name__ == "__main__":
    sys.exit(main())
