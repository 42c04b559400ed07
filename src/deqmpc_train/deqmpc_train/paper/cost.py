"""What a sweep costs before it is run: a training's seconds a step, and how all jobs spread over workers."""

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from deqmpc_core.tasks import load_task
from deqmpc_train.bench.stopwatch import seconds_of
from deqmpc_train.bench.training import short_flights
from deqmpc_train.config import TrainConfig
from deqmpc_train.eval.report import table
from deqmpc_train.paper.make import config_of
from deqmpc_train.sweep import Job, Store, closure
from deqmpc_train.sweep.run import Pace
from deqmpc_train.sweep.schedule import wall
from deqmpc_train.trainer import Trainer
from deqmpc_train.tune import short

WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_TIMED = 20
"""Samples of a timed step on a CPU, whose time grows with them; a larger batch is so many times slower."""
_REPETITIONS = 3
_OF_A_STEP = ("batch", "stream_steps", "stream_rounds", "backprop", "bf16")

Progress = Callable[[str], None]


def cost(
    jobs: Sequence[Job], store: Store, device: str = "cpu", progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Times some steps of each kind of training, and says what all jobs take: hours by kind, the longest
    chain of jobs that need one another, and the wall time on so many workers. Jobs of other kinds take what
    they declare, at the pace of those that the store has."""
    everything = closure(jobs)
    steps = _timed(filter(_trains, everything.values()), device, progress)
    pace = Pace(everything, store)
    seconds, by_kind = dict[str, float](), dict[str, list[float]]()
    for key, job in everything.items():
        takes = _steps(job) * steps[_speed(job)]["seconds"] if _trains(job) else pace.seconds(job)
        seconds[key] = takes
        by_kind.setdefault(job.kind, []).append(takes)
    return {
        "device": device, "cores": os.cpu_count(), "torch": torch.__version__,
        "steps": list(steps.values()),
        "kinds": [
            {"kind": kind, "jobs": len(each), "hours": sum(each) / 3600.0,
             "longest_hours": max(each) / 3600.0}
            for kind, each in by_kind.items()
        ],
        "hours": sum(seconds.values()) / 3600.0,
        "chain_hours": wall(jobs, seconds, len(everything)) / 3600.0,
        "wall_hours": {n: wall(jobs, seconds, n) / 3600.0 for n in WORKERS},
    }  # fmt: skip


def seconds_a_step(config: TrainConfig, device: str = "cpu") -> float:
    """Median of training steps on flights of a goal-tracking MPC; on a CPU of a smaller batch, scaled."""
    batch = config.batch if device != "cpu" else min(config.batch, _TIMED)
    task = load_task(config.policy.task, **config.policy.task_options)
    with tempfile.TemporaryDirectory() as place:
        small = replace(config, batch=batch)
        trainer = Trainer(small, task, short_flights(task), Path(place), device=torch.device(device))
        trainer.train_step()
        times = [seconds_of(trainer.train_step) for _ in range(_REPETITIONS)]
    return statistics.median(times) * config.batch / batch


def _timed(trainings: Iterable[Job], device: str, progress: Progress) -> dict[str, dict[str, Any]]:
    """By what decides the speed: what it is, and the seconds of a step."""
    kinds = {_speed(job): config_of(job.config["train"]) for job in trainings}
    timed: dict[str, dict[str, Any]] = {}
    for number, (speed, config) in enumerate(kinds.items(), 1):
        shape = {k: getattr(config.policy, k) for k in ("task", "variant", "hidden", "horizon")}
        progress(f"{number} of {len(kinds)}: {shape['variant']} on {shape['task']}")
        timed[speed] = {**shape, "batch": config.batch, "seconds": seconds_a_step(config, device)}
    return timed


def _trains(job: Job) -> bool:
    return "train" in job.config


def _speed(job: Job) -> str:
    """What decides how long a training's step takes."""
    train = job.config["train"]
    shape = {k: v for k, v in train["policy"].items() if k != "task_options"}
    return json.dumps([shape, [train[name] for name in _OF_A_STEP]], sort_keys=True)


def _steps(job: Job) -> int:
    """Of a training, or of all the short ones that choose a learning rate."""
    config = config_of(job.config["train"])
    grid = job.config.get("grid")
    return len(grid) * short(config, grid[0]).steps if grid else config.steps


def markdown(told: Mapping[str, Any], command: str) -> str:
    """Three tables: seconds a step, hours by kind of job, and wall time by workers."""
    head = ("task", "variant", "h", "T", "batch", "s a step")
    steps = [
        [s["task"], s["variant"], str(s["hidden"]), str(s["horizon"]), str(s["batch"]), f"{s['seconds']:.3g}"]
        for s in told["steps"]
    ]
    kinds = [
        [k["kind"], str(k["jobs"]), _three(k['hours']), _three(k['longest_hours'])] for k in told["kinds"]
    ]
    one = told["hours"]
    spread = [
        [str(n), _three(hours), f"{one / (int(n) * hours):.0%}"] for n, hours in told["wall_hours"].items()
    ]
    return "\n".join([
        *table(("jobs", "how many", "hours", "longest"), kinds), "",
        f"In all {_three(one)} hours on one worker ({told['device']}); the longest chain of jobs that need "
        f"one another takes {_three(told['chain_hours'])} hours.", "",
        *table(("workers", "wall time [h]", "busy"), spread), "", *table(head, steps), "",
        f"Made by `{command}`.", "",
    ])  # fmt: skip


def _three(hours: float) -> str:
    """Three digits: 43800, not 4.38e+04."""
    return f"{float(f'{hours:.3g}'):g}"
