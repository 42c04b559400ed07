"""What jobs have found, in a file that can be committed: figures are drawn from it without the store."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_text
from deqmpc_train.sweep import Job, Store, closure

FILE = "jobs.jsonl"
_COLUMNS = ("key", "name", "code", "cpu_seconds", "wall_seconds", "result")


class Found(Protocol):
    """Where results can be read: a `Store`, or a `Ledger` over one."""

    def done(self, job: Job) -> bool:
        """Whether the result is there."""
        ...

    def result(self, job: Job) -> dict[str, Any]:
        """What the job found."""
        ...

    def seconds(self, job: Job) -> tuple[float, float]:
        """Processor and wall seconds it took."""
        ...

    def code(self, job: Job) -> str:
        """Digest of the sources it was computed by."""
        ...


class Ledger:
    """A store's results, and those that `file` keeps of earlier runs, here or on another machine. It keeps
    no weights: a new job that needs a policy of an earlier run has it trained again."""

    def __init__(self, store: Store, file: Path) -> None:
        """Raises ConfigError for a file that is no ledger."""
        self._store, self._file, self._kept = store, file, dict[str, dict[str, Any]]()
        lines = file.read_text().splitlines() if file.is_file() else []
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                self._kept[row["key"]] = {name: row[name] for name in _COLUMNS}
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(
                    f"'{file}', line {number}: expected a job's result ({error!r}); restore or remove it"
                ) from None

    def done(self, job: Job) -> bool:
        """Whether the result is in the store or in the file."""
        return self._store.done(job) or job.key in self._kept

    def result(self, job: Job) -> dict[str, Any]:
        """What the job found; ConfigError where it has not run."""
        return self._kept[job.key]["result"] if self._only_kept(job) else self._store.result(job)

    def seconds(self, job: Job) -> tuple[float, float]:
        """Processor and wall seconds it took."""
        if not self._only_kept(job):
            return self._store.seconds(job)
        row = self._kept[job.key]
        return row["cpu_seconds"], row["wall_seconds"]

    def code(self, job: Job) -> str:
        """Digest of the sources it was computed by; empty where it is not told."""
        return self._kept[job.key]["code"] if self._only_kept(job) else self._store.code(job)

    def keep(self, jobs: Iterable[Job]) -> None:
        """Write what there is of the jobs, and of all they need, into the file; its other lines stay."""
        for job in closure(jobs).values():
            if self._store.done(job):
                cpu, wall = self._store.seconds(job)
                values = (job.key, job.name, self.code(job), cpu, wall, self.result(job))
                self._kept[job.key] = dict(zip(_COLUMNS, values, strict=True))
        rows = sorted(self._kept.values(), key=lambda row: (row["name"], row["key"]))
        write_text(self._file, "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))

    def _only_kept(self, job: Job) -> bool:
        return job.key in self._kept and not self._store.done(job)
