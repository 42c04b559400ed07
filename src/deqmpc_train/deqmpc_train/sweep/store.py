"""Where results are kept: a folder for each job, by kind and key, there whole or not at all."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import read_json
from deqmpc_train.sweep.job import Job

RESULT, JOB, CLOCK, PROGRESS, ERROR = "result.json", "job.json", "clock.json", "progress.json", "error.txt"
SCRATCH = "run"  # a folder of a job's that goes once its result is written


class Progress(NamedTuple):
    """Of a running job: steps done and of how many, processor and wall seconds so far, the process that runs
    it."""

    done: int = 0
    total: int = 1
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    pid: int = 0

    @property
    def share(self) -> float:
        """Done, from 0 to 1."""
        return min(self.done / max(self.total, 1), 1.0)


class Store:
    """A folder of results. It may be shared by machines, by any number of sweeps at the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def place(self, job: Job) -> Path:
        """Of a finished job."""
        return self.root / f"{job.kind}-{job.key}"

    def part(self, job: Job) -> Path:
        """Of a job under way or broken off: its checkpoints; renamed to `place` when it is done."""
        return self.root / f"{job.kind}-{job.key}.part"

    def done(self, job: Job) -> bool:
        """Whether the result is there."""
        return (self.place(job) / RESULT).is_file()

    def result(self, job: Job) -> dict[str, Any]:
        """What the job found; ConfigError where it has not run."""
        if not self.done(job):
            raise ConfigError(f"job '{job.name}' has no result in '{self.root}'; run its figure's sweep")
        return read_json(self.place(job) / RESULT)

    def code(self, job: Job) -> str:
        """Digest of the sources that a finished job was computed by; empty where it is not told."""
        return str(read_json(self.place(job) / JOB).get("code", ""))

    def seconds(self, job: Job) -> tuple[float, float]:
        """Processor and wall seconds that a finished job took, broken-off attempts included."""
        clock = read_json(self.place(job) / CLOCK)
        return float(clock["cpu_seconds"]), float(clock["wall_seconds"])

    def progress(self, job: Job) -> Progress:
        """Of a job under way; nothing done where none can be read."""
        try:
            return Progress(**read_json(self.part(job) / PROGRESS))
        except (ConfigError, TypeError):
            return Progress()

    def error(self, job: Job) -> Path:
        """The file that says why a job failed."""
        return self.part(job) / ERROR

    @contextmanager
    def alone(self, job: Job) -> Iterator[None]:
        """Holds the job, waiting while another process runs it; a process that dies gives it back."""
        file = self.root / "locks" / f"{job.kind}-{job.key}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
