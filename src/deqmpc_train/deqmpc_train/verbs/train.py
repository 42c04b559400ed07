"""deqmpc train: from a data set to a policy bundle."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.console import Console

from deqmpc_core.files import read_json, write_json
from deqmpc_train.config import Overrides
from deqmpc_train.data.options import option_values
from deqmpc_train.parallel import chosen_device, joined
from deqmpc_train.train import Places, Session, train
from deqmpc_train.tuned import GRID, Budget, tuned
from deqmpc_train.verbs.ending import RESUME, status_of


@dataclass(frozen=True)
class TrainArguments:
    """Train a policy by imitation and save it as a bundle.

    task, variant: what to train. option: NAME=VALUE, an option of the task. data: directory of a data set.
    out: the bundle (default models/<task>-<variant>). run_dir: checkpoints and logs (default
    runs/train/<task>-<variant>). budget: size of the run. tune: choose the learning rate first, by short runs
    over one small grid. grid: another grid. resume: go on from run_dir's last checkpoint.
    threads: CPU threads. device: cpu, cuda or cuda:N, of the network. json: a file for what eval.json says of
    the training. The other options change the tuned defaults.

    Several processes or GPUs: torchrun --nproc-per-node 2 -m deqmpc_train.verbs.train OPTIONS; the batch is
    shared among them.
    """

    variant: str
    data: Path
    task: str = "crazyflie"
    option: tuple[str, ...] = ()
    out: Path | None = None
    run_dir: Path | None = None
    budget: Budget = "laptop"
    tune: bool = False
    grid: tuple[float, ...] = GRID
    resume: bool = False
    threads: int | None = None
    device: str = "cpu"
    json: Path | None = None
    options: Annotated[Overrides, tyro.conf.arg(name="")] = field(default_factory=Overrides)


OPTIONS = TrainArguments


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    arguments = tyro.cli(TrainArguments, prog="deqmpc train", args=argv)
    console = Console()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return status_of("train", lambda: _train(arguments, console), console, RESUME)


def _train(arguments: TrainArguments, console: Console) -> None:
    options = option_values(arguments.option)
    config = tuned(arguments.task, arguments.variant, arguments.budget, arguments.options, options)
    name = f"{arguments.task}-{arguments.variant}"
    out = arguments.out or Path("models") / name
    places = Places(arguments.data, out, arguments.run_dir or Path("runs") / "train" / name)
    device = chosen_device(arguments.device)
    with joined(device) as group:
        session = Session(group, device, console)
        train(config, places, arguments.resume, arguments.grid if arguments.tune else (), session)
        session.console.print(f"policy written to {out}")
        if arguments.json and group.leads:
            write_json(arguments.json, {"training": read_json(out / "eval.json")["training"]})


if __name__ == "__main__":
    sys.exit(main())
