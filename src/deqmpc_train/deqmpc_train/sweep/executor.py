"""What runs jobs."""

from pathlib import Path
from typing import NamedTuple, Protocol

from deqmpc_train.sweep.job import Job


class Ended(NamedTuple):
    """A job that runs no more; error: None, or one line on why it failed."""

    key: str
    error: str | None


class Executor(Protocol):
    """Runs jobs whose needs are met, each by `work.attempt`. A worker that dies is replaced and its job,
    which goes on from its checkpoints, is tried again a few times; a job that fails by itself is not.
    """

    @property
    def slots(self) -> int:
        """About how many jobs run at a time."""
        ...

    def check(self, job: Job) -> None:
        """Raises ConfigError for a job that no machine here has room for."""
        ...

    def start(self, job: Job, root: Path) -> bool:
        """Begin the job in the store at `root`; False where there is no room for it now."""
        ...

    def ended(self, seconds: float) -> list[Ended]:
        """Wait for the next job to end, at most so long; those that have ended since the last call."""
        ...

    def stop(self) -> None:
        """End all workers; jobs under way keep their checkpoints."""
        ...
