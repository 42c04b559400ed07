"""What makes data sets and policies, as jobs. Each function is given a `Work`; it may have been killed
before."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deqmpc_core.bundle import save_bundle
from deqmpc_core.errors import TrainingError
from deqmpc_core.files import read_json, write_json
from deqmpc_core.tasks import load_task
from deqmpc_train.card import model_card
from deqmpc_train.checkpoint import has_checkpoint
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import DataConfig, Episodes, generate, load_episodes, read_info, write_data_set
from deqmpc_train.sweep import SCRATCH, Work
from deqmpc_train.train import run, training_results
from deqmpc_train.trainer import StepReport, Trainer, Validation
from deqmpc_train.tune import tune

DATA, POLICY, RUN, CURVE = "data", "policy", SCRATCH, "curve.json"
_FINITE = 1.0  # any rate, where only the rest of a configuration is looked at


def given(work: Work) -> dict[str, Any]:
    """A data set that was there, copied, so that the store needs nothing else."""
    out = work.place / DATA
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(work.hints["from"], out)
    return _told(out)


def data(work: Work) -> dict[str, Any]:
    """A data set flown by the expert."""
    config = {k: v for k, v in work.config.items() if not k.endswith("_sha256")}
    recipe = DataConfig(**{**config, "option": tuple(config["option"])})
    out = work.place / DATA
    if not (out / "info.json").is_file():
        generate(recipe, out, jobs=1, progress=work.progress)
    return _told(out)


def part(work: Work) -> dict[str, Any]:
    """The first episodes of another data set's training part under split 0."""
    source, out = work.needs["data"] / DATA, work.place / DATA
    info = read_info(source)
    task = load_task(info["task"], **info["task_options"])
    training, _ = load_episodes(source, task).split(0)
    count = max(2, round(work.config["share"] * len(training)))
    chosen: Episodes = training.take(np.arange(count))
    shutil.rmtree(out, ignore_errors=True)
    origin = {k: info[k] for k in ("source", "seed", "start_seed", "expert") if k in info}
    write_data_set(out, chosen, task, info["task_options"], origin)
    return _told(out)


def _told(out: Path) -> dict[str, Any]:
    info = read_info(out)
    return {"task": info["task"], "episodes": info["episodes"], "steps": info["steps"]}


class _Watch:
    """Keeps the validation curve, and says how far the run is."""

    def __init__(self, work: Work, file: Path, total: int, trainer: Trainer, before: int = 0) -> None:
        self.work, self.file, self.total, self.before = work, file, total, before
        kept = read_json(file) if file.is_file() else []
        self.points = [p for p in kept if p["step"] <= trainer.step]

    def step(self, report: StepReport) -> None:
        self.work.progress(self.before + report.step, self.total)

    def validation(self, step: int, result: Validation) -> None:
        errors = result.errors
        if not np.isfinite((errors.error, errors.cold, errors.warm)).all():
            raise TrainingError(f"step {step}: the held-out error is not finite; see the curve so far")
        self.points.append({"step": step, "error": errors.error, "cold": errors.cold, "warm": errors.warm})
        write_json(self.file, self.points)


def rate(work: Work) -> dict[str, Any]:
    """The learning rate with the least held-out error after a tenth of the steps; None where none trains."""
    grid = [float(r) for r in work.config["grid"]]
    config = _config(work, grid[0])

    def watched(trainer: Trainer) -> None:
        place, total = trainer.run_dir, trainer.config.steps
        before = grid.index(trainer.config.learning_rate) * total
        run(trainer, _Watch(work, place / CURVE, total * len(grid), trainer, before))

    try:
        return tune(config, grid, work.place / RUN, lambda c, p: _trainer(work, c, p), watched).to_json()
    except TrainingError as error:
        if not str(error).startswith("no learning rate"):
            raise
        return {"rate": None, "stopped": str(error).partition(";")[0]}


def train(work: Work) -> dict[str, Any]:
    """A policy, its validation curve, and why it ended early if a number became infinite."""
    chosen = work.found("rate")
    if chosen["rate"] is None:
        return {"validation_error": None, "stopped": chosen["stopped"], "curve": [], "steps": 0,
                "learning_rate": None, "from": "trained here"}  # fmt: skip
    config = _config(work, float(chosen["rate"]))
    trainer = _trainer(work, config, work.place / RUN)
    if has_checkpoint(work.place / RUN / "last"):
        trainer.resume()
    watch, stopped = _Watch(work, work.place / CURVE, config.steps, trainer), None
    try:
        run(trainer, watch)
    except TrainingError as error:
        if "not finite" not in str(error):
            raise
        stopped = str(error).partition(";")[0]
    if has_checkpoint(work.place / RUN / "best"):
        _save(work, trainer, config)
    error = trainer.best_error if np.isfinite(trainer.best_error) else None
    return {"validation_error": error, "stopped": stopped, "curve": watch.points, "steps": trainer.step,
            "learning_rate": config.learning_rate, "from": "trained here"}  # fmt: skip


def _save(work: Work, trainer: Trainer, config: TrainConfig) -> None:
    policy, shape = trainer.best_policy(), config.policy
    told = {"training": training_results(trainer, work.needs["data"] / DATA)}
    card = model_card(f"{shape.task}-{shape.variant}", policy, told)
    save_bundle(policy, work.place / POLICY, card, told)


def config_of(values: dict[str, Any], learning_rate: float = _FINITE) -> TrainConfig:
    """A job's configuration with a learning rate."""
    return TrainConfig.from_json({**values, "learning_rate": learning_rate})


def _config(work: Work, learning_rate: float) -> TrainConfig:
    return config_of(work.config["train"], learning_rate)


def _trainer(work: Work, config: TrainConfig, place: Path) -> Trainer:
    task = load_task(config.policy.task, **config.policy.task_options)
    device = torch.device(work.config.get("device", "cpu"))
    return Trainer(config, task, load_episodes(work.needs["data"] / DATA, task), place, None, device)
