"""Train a policy from a data set and leave it as a bundle."""

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from deqmpc_core.bundle import save_bundle
from deqmpc_core.errors import ConfigError
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import load_task
from deqmpc_train.card import model_card
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import load_episodes, read_info
from deqmpc_train.monitor import Monitor
from deqmpc_train.trainer import Trainer


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    run_dir: Path,
    resume: bool = False,
    console: Console | None = None,
) -> Policy:
    """Run to config.steps, write the best weights as a bundle to `out`, checkpoints and logs to `run_dir`."""
    task = load_task(config.policy.task, **config.policy.task_options)
    trainer = Trainer(config, task, load_episodes(data, task), run_dir)
    _begin(trainer, resume)
    title = f"{task.name}-{config.policy.variant}"
    begun = time.perf_counter()
    with Monitor(title, config.steps, trainer.step, run_dir / "tensorboard", console) as monitor:
        run(trainer, monitor)
    policy = trainer.best_policy()
    results = training_results(trainer, data, time.perf_counter() - begun)
    save_bundle(policy, out, model_card(policy, config, results), {"training": results})
    return policy


def run(trainer: Trainer, monitor: Monitor | None = None) -> None:
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


def training_results(trainer: Trainer, data: Path, seconds: float) -> dict[str, Any]:
    """What eval.json says of the training: data, figures, time."""
    info = read_info(data)
    kept = {k: info[k] for k in ("episodes", "seed", "expert", "dt") if k in info}
    return {
        "validation_error": trainer.best_error,
        "steps": trainer.step,
        "windows": len(trainer.windows),
        "seconds": round(seconds, 1),
        "data": kept,
        "config": trainer.config.to_json(),
    }


def _begin(trainer: Trainer, resume: bool) -> None:
    run_dir: Path = trainer.run_dir
    if resume:
        trainer.resume()
        return
    if (run_dir / "last").exists():
        raise ConfigError(
            f"'{run_dir}' holds an earlier run; add --resume to go on, or give another --run-dir"
        )
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.json").write_text(json.dumps(trainer.config.to_json(), indent=2) + "\n")
