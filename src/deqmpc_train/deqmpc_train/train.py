"""Train a policy from a data set and leave it as a bundle."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console

from deqmpc_core.bundle import save_bundle
from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_json
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import load_task
from deqmpc_train.card import model_card
from deqmpc_train.checkpoint import has_checkpoint
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import load_episodes, read_info
from deqmpc_train.monitor import Monitor
from deqmpc_train.parallel import Group
from deqmpc_train.trainer import StepReport, Trainer, Validation
from deqmpc_train.tune import Choice, tune

_OF_DATA = ("episodes", "seed", "start_seed", "expert", "policy_sha256", "task_options", "dt")


@dataclass(frozen=True)
class Places:
    """data: the data set. out: the bundle. run_dir: checkpoints and logs, under tune/ those of the
    learning rates that were tried."""

    data: Path
    out: Path
    run_dir: Path


class Watcher(Protocol):
    """Is told how a run goes."""

    def step(self, report: StepReport) -> None:
        """After every step."""
        ...

    def validation(self, step: int, result: Validation) -> None:
        """After every validation, before the checkpoint of the same step."""
        ...


class Session:
    """What a process brings to a run: its place in the group, its device, its console."""

    def __init__(
        self, group: Group | None = None, device: torch.device | None = None, console: Console | None = None
    ) -> None:
        self.group, self.device = group or Group(), device or torch.device("cpu")
        self.console = (console or Console()) if self.group.leads else Console(quiet=True)

    def run(self, trainer: Trainer) -> None:
        """The loop with a progress bar and TensorBoard; only the loop in the processes that do not lead."""
        if not self.group.leads:
            run(trainer)
            return
        config, place = trainer.config, trainer.run_dir
        title = f"{config.policy.task}-{config.policy.variant} rate {config.learning_rate:g}"
        with Monitor(title, config.steps, trainer.step, place / "tensorboard", self.console) as monitor:
            run(trainer, monitor)


def train(
    config: TrainConfig, places: Places, resume: bool = False, grid: Sequence[float] = (),
    session: Session | None = None,
) -> Policy:  # fmt: skip
    """Run to config.steps and write the best weights as a bundle; grid: learning rates to choose from
    first.

    Raises ConfigError where run_dir holds another run or another process trains there, DataError,
    TrainingError.
    """
    session = session or Session()
    task, group = load_task(config.policy.task, **config.policy.task_options), session.group
    episodes = load_episodes(places.data, task)

    def make(changed: TrainConfig, place: Path) -> Trainer:
        return Trainer(changed, task, episodes, place, group, session.device)

    with _alone(places.run_dir, group):
        choice = None
        if grid:
            choice = tune(config, grid, places.run_dir / "tune", make, session.run)
            config = replace(config, learning_rate=choice.rate)
            session.console.print(_sentence(choice))
        trainer = make(config, places.run_dir)
        _begin(trainer, resume)
        session.run(trainer)
        group.wait()
        policy = trainer.best_policy()
        if group.leads:
            results = training_results(trainer, places.data, choice)
            told = {"training": results}
            save_bundle(policy, places.out, model_card(places.out.name, policy, told), told)
    return policy


def run(trainer: Trainer, monitor: Watcher | None = None) -> None:
    """The loop: step, validate, checkpoint."""
    config = trainer.config
    while trainer.step < config.steps:
        report = trainer.train_step()
        last = trainer.step == config.steps
        if monitor:
            monitor.step(report)
        if last or trainer.step % config.validate_every == 0:
            result = trainer.validate()
            if monitor:
                monitor.validation(trainer.step, result)
        if last or trainer.step % config.checkpoint_every == 0:
            trainer.save()


def training_results(trainer: Trainer, data: Path, choice: Choice | None = None) -> dict[str, Any]:
    """What eval.json says of the training: data, figures, time, the learning rates tried."""
    info = read_info(data)
    kept = {k: info[k] for k in _OF_DATA if k in info}
    results = {
        "validation_error": trainer.best_error, "steps": trainer.step, "windows": len(trainer.windows),
        "seconds": round(trainer.seconds, 1), "processes": trainer.group.size,
        "threads": torch.get_num_threads(), "data": kept, "config": trainer.config.to_json(),
    }  # fmt: skip
    return results | ({"learning_rates": choice.to_json()} if choice else {})


def _sentence(choice: Choice) -> str:
    errors = ((rate, "no finite number" if e is None else f"{e:.4f}") for rate, e in choice.errors.items())
    tried = ", ".join(f"{rate:g}: {error}" for rate, error in errors)
    return f"learning rate {choice.rate:g}, the best of {tried} (held-out L1 after {choice.steps} steps)"


@contextmanager
def _alone(run_dir: Path, group: Group) -> Iterator[None]:
    """Holds run_dir's lock, which a process that dies gives back; ConfigError where another has it."""
    if not group.leads:
        yield
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"another process trains in '{run_dir}'; wait for it, or give another --run-dir"
            ) from error
        yield


def _begin(trainer: Trainer, resume: bool) -> None:
    run_dir: Path = trainer.run_dir
    if resume:
        trainer.resume()
        return
    if has_checkpoint(run_dir / "last"):
        raise ConfigError(
            f"'{run_dir}' holds an earlier run; add --resume to go on, or give another --run-dir"
        )
    if trainer.group.leads:
        write_json(run_dir / "config.json", trainer.config.to_json())
