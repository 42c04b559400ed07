"""The fair comparison: every variant trained alike and flown from the same starts.

Same data, splits, widths, steps, learning rates tried, stopping rule; what is finished is kept, what was
stopped goes on.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from deqmpc_core.errors import ConfigError, TrainingError
from deqmpc_core.files import read_json
from deqmpc_core.policies import LEARNED
from deqmpc_train.checkpoint import has_checkpoint, steps_behind
from deqmpc_train.config import Overrides, TrainConfig, same_but
from deqmpc_train.tune import short
from deqmpc_train.tuned import GRID, Budget, tuned

_POLL = 0.5  # s
_FREE = {"learning_rate", "policy.variant"}  # what may differ between variants

Watch = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Comparison:
    """task, variants, splits (numbers of the held-out tenth; the paper has three), budget and options of
    every run; grid: the learning rates each chooses from; jobs: processes of one thread each."""

    task: str
    data: Path
    out: Path
    variants: tuple[str, ...] = LEARNED
    splits: tuple[int, ...] = (0,)
    budget: Budget = "laptop"
    grid: tuple[float, ...] = GRID
    jobs: int = 2
    task_options: dict[str, Any] = field(default_factory=dict)
    overrides: Overrides = field(default_factory=Overrides)

    def __post_init__(self) -> None:
        for name in ("variants", "splits", "grid"):
            if not getattr(self, name):
                raise ConfigError(f"{name}: expected at least one")
        if self.jobs < 1:
            raise ConfigError(f"jobs must be at least 1, got {self.jobs}")

    def runs(self) -> list["Run"]:
        """Every variant on every split."""
        return [Run(self, variant, split) for split in self.splits for variant in self.variants]


class Run(NamedTuple):
    """One variant on one split."""

    plan: Comparison
    variant: str
    split: int

    @property
    def name(self) -> str:
        """Of its bundle; split 0, the paper's, goes without saying."""
        return f"{self.plan.task}-{self.variant}" + (f"-split{self.split}" if self.split else "")

    @property
    def bundle(self) -> Path:
        """Where the policy goes."""
        return self.plan.out / "models" / self.name

    @property
    def run_dir(self) -> Path:
        """Where checkpoints and logs are."""
        return self.plan.out / "train" / self.name

    @property
    def log(self) -> Path:
        """What the process said."""
        return self.plan.out / "logs" / f"{self.name}.log"

    def config(self) -> TrainConfig:
        """The run's options, its learning rate apart."""
        plan = self.plan
        return tuned(plan.task, self.variant, plan.budget, self._overrides(), plan.task_options)

    def _overrides(self) -> Overrides:
        """Another split is another training too: its seed, unless one is asked for, is the split's number."""
        seed = self.plan.overrides.seed
        return replace(self.plan.overrides, split=self.split, seed=self.split if seed is None else seed)

    def finished(self) -> bool:
        """Whether the bundle is there; ConfigError where it was trained with other options."""
        file = self.bundle / "eval.json"
        if not (self.bundle / "policy.json").is_file():
            return False
        made = TrainConfig.from_json(read_json(file)["training"]["config"])
        changed = [k for k in same_but(self.config(), made) if k not in _FREE]
        if changed:
            raise ConfigError(
                f"'{self.bundle}' was trained with other {', '.join(changed)}; give the same options or "
                "another --out"
            )
        return True

    def command(self) -> list[str]:
        """The line that trains it, or trains it on."""
        plan = self.plan
        words = [
            sys.executable, "-m", "deqmpc_train.verbs.train", "--task", plan.task, "--variant", self.variant,
            "--data", str(plan.data), "--out", str(self.bundle), "--run-dir", str(self.run_dir),
            "--budget", plan.budget, "--threads", "1", "--tune", "--grid", *map(str, plan.grid),
        ]  # fmt: skip
        if plan.task_options:
            words += ["--option", *(f"{k}={json.dumps(v)}" for k, v in plan.task_options.items())]
        if has_checkpoint(self.run_dir / "last"):
            words.append("--resume")
        return words + _words(self._overrides())

    def steps(self) -> tuple[int, int]:
        """Done so far, and of how many, the choice of the learning rate included."""
        config, grid = self.config(), self.plan.grid
        each = short(config, grid[0]).steps
        tried = sum(_done(self.run_dir / "tune" / f"{rate:g}", each) for rate in grid)
        return tried + _done(self.run_dir, config.steps), len(grid) * each + config.steps


def _done(place: Path, steps: int) -> int:
    """Steps behind a run's last checkpoint."""
    return steps if (place / "result.json").is_file() else steps_behind(place / "last")


def _words(overrides: Overrides) -> list[str]:
    words: list[str] = []
    for name, value in asdict(overrides).items():
        if value is not None:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words


def train_all(plan: Comparison, watch: Watch = lambda *_: None) -> None:
    """Train what is not finished, `jobs` at a time. Raises TrainingError naming the logs of what failed, once
    all others are through; a stop ends the processes, which go on at the next call."""
    waiting = [run for run in plan.runs() if not run.finished()]
    running: dict[str, tuple[Run, subprocess.Popen[bytes]]] = {}
    failed: list[Run] = []
    try:
        while waiting or running:
            while waiting and len(running) < plan.jobs:
                run = waiting.pop(0)
                running[run.name] = (run, _started(run))
            for name, (run, process) in list(running.items()):
                watch(name, *run.steps())
                if process.poll() is not None:
                    del running[name]
                    if process.returncode:
                        failed.append(run)
            time.sleep(_POLL)
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.wait()
    if failed:
        raise TrainingError(f"not trained: {', '.join(f'{r.name} (see {r.log})' for r in failed)}")


def _started(run: Run) -> subprocess.Popen[bytes]:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("ab") as log:
        return subprocess.Popen(
            run.command(), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )


def digest(places: Sequence[Path], *more: object) -> str:
    """Of the weights and configurations of bundles, and of what else decides an evaluation."""
    found = hashlib.sha256(repr(more).encode())
    for place in places:
        for name in ("policy.json", "model.safetensors"):
            found.update((place / name).read_bytes())
    return found.hexdigest()[:16]
