"""deqmpc expert: train a task's expert by analytic policy gradients, judge any kind of expert."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_json
from deqmpc_core.tasks import load_task
from deqmpc_train.eval import PolicyResult
from deqmpc_train.experts.config import ExpertOverrides, tuned
from deqmpc_train.experts.evaluate import evaluate_expert, published_starts, write_bundle
from deqmpc_train.experts.train import ExpertTrainer, Report, run
from deqmpc_train.verbs.ending import RESUME, status_of

_OPTION = "an option of the task, name=value (u_max=3.0); may be repeated"


@dataclass(frozen=True)
class Train:
    """Make a task's expert a bundle: kind rl is trained first, kind mpc needs no training; then it is judged.

    out: the bundle (default models/<task>-expert). run_dir: checkpoints (default runs/expert/<task>).
    episodes: flights it is judged by. resume: go on from run_dir's last checkpoint. json: a file for its
    figures. The other options change the tuned defaults of the training.
    """

    task: str
    kind: Literal["rl", "mpc"] = "rl"
    out: Path | None = None
    run_dir: Path | None = None
    resume: bool = False
    episodes: int = 200
    json: Path | None = None
    threads: int = 1
    option: Annotated[tuple[str, ...], tyro.conf.arg(help=_OPTION)] = ()
    options: Annotated[ExpertOverrides, tyro.conf.arg(name="")] = field(default_factory=ExpertOverrides)


@dataclass(frozen=True)
class Eval:
    """Fly experts from seeded starts, or from the first states of a published file, in the batch environment.

    kind: default is the task's expert as load_policy("expert", task) gives it. seed: of the starts. starts:
    an .npz file with `state` (N, L, n); its first `episodes` first states are flown. json: a file for the
    figures.
    """

    task: str = "crazyflie"
    kind: Literal["default", "mpc", "rl"] = "default"
    episodes: int = 200
    seed: int = 0
    starts: Path | None = None
    json: Path | None = None
    threads: int = 1
    option: Annotated[tuple[str, ...], tyro.conf.arg(help=_OPTION)] = ()


OPTIONS: dict[str, type] = {"train": Train, "eval": Eval}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command: Any = tyro.extras.subcommand_cli_from_dict(OPTIONS, args=argv, prog="deqmpc expert")
    torch.set_num_threads(command.threads)

    def work() -> None:
        _train(command) if isinstance(command, Train) else _eval(command)

    return status_of("expert", work, Console(stderr=True), RESUME)


def _train(command: Train) -> None:
    options = _task_options(command.option)
    task = load_task(command.task, **options)
    out = command.out or Path("models") / f"{task.name}-expert"
    policy = None
    if command.kind == "rl":
        config = tuned(task.name, options, command.options)
        trainer = ExpertTrainer(config, command.run_dir or Path("runs") / "expert" / task.name)
        trainer.begin(command.resume)
        _watched(trainer)
        policy = trainer.best_policy()
    with Console(stderr=True).status(f"flying {command.episodes} episodes"):
        result = write_bundle(task, options, command.kind, policy, out, command.episodes)
    _tell([result], command.json)
    Console().print(f"expert written to {out}")


def _watched(trainer: ExpertTrainer) -> None:
    columns = (TextColumn(trainer.task.name), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("{task.fields[note]}"))  # fmt: skip
    with Progress(*columns) as progress:
        bar = progress.add_task("", total=trainer.config.updates, completed=trainer.update_count, note="")

        def note(report: Report) -> None:
            progress.update(bar, completed=report.update, note=f"reward {report.reward:.3f} a step")
            if report.validation is not None:
                progress.console.print(
                    f"update {report.update}: return {report.validation:.2f}, "
                    f"best {trainer.best_return:.2f}, critic error {report.critic_error:.2e}"
                )

        run(trainer, note)


def _eval(command: Eval) -> None:
    task = load_task(command.task, **_task_options(command.option))
    begin = None if command.starts is None else published_starts(task, command.starts, command.episodes)
    with Console(stderr=True).status(f"flying {command.episodes} episodes"):
        results = evaluate_expert(task, command.kind, command.episodes, command.seed, begin)
    _tell(results, command.json)


def _tell(results: list[PolicyResult], file: Path | None) -> None:
    Console().print(_table(results))
    if file:
        write_json(file, {"policies": [r.to_json() for r in results]})


def _task_options(pairs: Sequence[str]) -> dict[str, Any]:
    """name=value pairs, values as JSON where they are that, else text."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark:
            raise ConfigError(f"--option: expected name=value, got '{pair}'")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _table(results: list[PolicyResult]) -> Table:
    table = Table(*(Column(name, no_wrap=True) for name in "expert task return success fail ms".split()),
                  box=None)  # fmt: skip
    for r in results:
        flight = r.flight
        table.add_row(r.policy, r.task, f"{flight.return_mean:.2f}", f"{flight.success_rate:.1%}",
                      f"{flight.failure_rate:.1%}", f"{r.times.ms_per_step:.2f}")  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
