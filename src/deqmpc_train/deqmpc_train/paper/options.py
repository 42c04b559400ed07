"""What `deqmpc paper` and `deqmpc sweep` have in common on the command line."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_train.paper.catalogue import FIGURES
from deqmpc_train.paper.figure import Figure
from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.publish import jobs_of
from deqmpc_train.paper.scale import scale_of
from deqmpc_train.paper.take_over import take_over
from deqmpc_train.sweep import Executor, Job, Report, Store, closure, run
from deqmpc_train.sweep.board import LiveBoard
from deqmpc_train.tuned import Budget

ALL = "all"


@dataclass(frozen=True)
class SweepOptions:
    """budget: sizes of everything. data: a folder with a data set for each task, by its name; tasks it lacks
    are generated. take_over: folders of `deqmpc compare`, whose policies are taken as results where they were
    trained alike. store: where results are kept.
    executor: "local", processes of one thread each on this machine, or "ray". cores, memory [GiB]: what the
    local executor may use (by default all cores and most of the memory). address: of a Ray cluster, "auto"
    for the one this machine is in; by default one is started here. placement: over its machines.
    retries: of a job whose worker died. device: cpu, or cuda for trainings. gpus: the share of one that a
    training needs.
    """

    budget: Budget = "laptop"
    data: Path | None = None
    take_over: tuple[Path, ...] = ()
    store: Path = Path("runs/sweep")
    executor: Literal["local", "ray"] = "local"
    cores: int | None = None
    memory: float | None = None
    address: str | None = None
    placement: Literal["spread", "pack"] = "spread"
    retries: int = 3
    device: str = "cpu"
    gpus: float = 0.0

    def plan(self) -> Plan:
        """What figures' jobs are made with."""
        if self.data is not None and not self.data.is_dir():
            raise ConfigError(f"--data: '{self.data}' is no folder; give one that has a data set a task")
        if self.executor == "ray" and self.device != "cpu" and not self.gpus:
            raise ConfigError("--device: give --gpus too, a training's share of one, such as 0.25")
        return Plan(scale_of(self.budget), self.data, self.device, self.gpus)

    def make_executor(self) -> Executor:
        """The executor asked for."""
        if self.executor == "ray":
            from deqmpc_train.sweep.cluster import RayExecutor

            return RayExecutor(self.address, self.cores, self.retries, self.placement)
        from deqmpc_train.sweep.local import LocalExecutor

        return LocalExecutor(self.cores, self.memory, self.retries)


def figures_of(names: Sequence[str]) -> list[Figure]:
    """Figures by name, "all" for every one. Raises UnknownNameError."""
    for name in names:
        if name != ALL and name not in FIGURES:
            raise UnknownNameError("figure", name, (*FIGURES, ALL))
    chosen = FIGURES if ALL in names else dict.fromkeys(names)
    return [FIGURES[name] for name in chosen]


def compute(jobs: list[Job], options: SweepOptions) -> Report:
    """Run all jobs that have no result, with a live table. Raises JobError."""
    store, executor = Store(options.store), options.make_executor()
    try:
        with LiveBoard() as board:
            if options.take_over:
                data = [j for j in closure(jobs).values() if j.kind in ("given", "data", "part")]
                run(data, store, executor, board)
                take_over(jobs, store, options.take_over)
            return run(jobs, store, executor, board)
    finally:
        executor.stop()


def all_jobs(names: Sequence[str], options: SweepOptions, tasks: Sequence[str] = ()) -> list[Job]:
    """The jobs of some figures; tasks: of these alone, if any are named."""
    return jobs_of(figures_of(names), options.plan(), tasks)


def command_line(figure: str, options: SweepOptions) -> str:
    """The line that makes one figure, as far as it decides what comes out."""
    words = ["deqmpc", "paper", figure, "--budget", options.budget]
    if options.data is not None:
        words += ["--data", "DIR"]  # the same data sets may lie elsewhere
    if options.take_over:
        words += ["--take-over", "COMPARED"]
    if options.device != "cpu":
        words += ["--device", options.device]
    return shlex.join(words)
