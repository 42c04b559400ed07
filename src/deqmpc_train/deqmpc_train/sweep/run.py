"""A sweep: jobs in the order of what they need, those with a result left alone."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from deqmpc_core.errors import JobError
from deqmpc_train.sweep.executor import Executor
from deqmpc_train.sweep.job import Job
from deqmpc_train.sweep.store import Progress, Store

_POLL = 0.5  # s


class Board(NamedTuple):
    """How a sweep stands: jobs in all, with a result, under way with their progress, failed, and the seconds
    left if all goes on at the pace so far."""

    total: int
    done: int
    running: list[tuple[Job, Progress]]
    failed: dict[str, str]
    seconds_left: float


class Report(NamedTuple):
    """Keys of the jobs that were computed, in the order of their ends, and how many were not."""

    computed: list[str]
    kept: int


Watch = Callable[[Board], None]


def run(jobs: Iterable[Job], store: Store, executor: Executor, watch: Watch = lambda _: None) -> Report:
    """Compute what has no result, and what that needs. Raises JobError naming what failed, once all that does
    not need it is done. The executor is left running, unless an exception, or a stop, ends the sweep."""
    sweep = _Sweep(closure(jobs, store.done), store, executor)
    for key in sweep.waiting:
        executor.check(sweep.jobs[key])  # now, not hours later
    try:
        while sweep.step():
            watch(sweep.board())
        watch(sweep.board())
    except BaseException:
        executor.stop()
        raise
    if sweep.failed:
        raise JobError(_told(sweep, store))
    return Report(sweep.computed, sweep.kept)


def closure(jobs: Iterable[Job], done: Callable[[Job], bool] = lambda _: False) -> dict[str, Job]:
    """The jobs and all they need, by key, each behind what it needs; what a job needed that is done is left
    out, unless another one needs it still."""
    found: dict[str, Job] = {}

    def add(job: Job) -> None:
        if job.key not in found:
            for needed in () if done(job) else job.needs.values():
                add(needed)
            found[job.key] = job

    for job in jobs:
        add(job)
    return found


class _Sweep:
    """Every job is waiting, running, done or failed; one that needs a failed one is failed as well."""

    def __init__(self, jobs: dict[str, Job], store: Store, executor: Executor) -> None:
        self.jobs, self.store, self.executor = jobs, store, executor
        self.done = {key for key, job in jobs.items() if store.done(job)}
        self.kept, self.computed = len(self.done), list[str]()
        self.waiting = [key for key in jobs if key not in self.done]
        self.running: list[str] = []
        self.failed: dict[str, str] = {}
        self.pace = Pace(jobs, store)

    def step(self) -> bool:
        """Start what can start, wait for what ends; whether something is left to do."""
        self._start()
        if not self.running:
            return False
        for end in self.executor.ended(_POLL):
            self.running.remove(end.key)
            if end.error is None:
                self.done.add(end.key)
                self.computed.append(end.key)
                self.pace.learn(self.jobs[end.key], self.store.seconds(self.jobs[end.key])[1])
            else:
                self._fail(end.key, end.error)
        return True

    def _start(self) -> None:
        for key in list(self.waiting):
            job = self.jobs[key]
            if all(needed.key in self.done for needed in job.needs.values()):
                if not self.executor.start(job, self.store.root):
                    return  # first come, first served: a large job is not starved by small ones
                self.waiting.remove(key)
                self.running.append(key)

    def _fail(self, key: str, error: str) -> None:
        self.failed[key] = error
        for other in list(self.waiting):
            if other in self.waiting and key in {n.key for n in self.jobs[other].needs.values()}:
                self.waiting.remove(other)
                self._fail(other, f"needs '{self.jobs[key].name}', which failed")

    def board(self) -> Board:
        """How it stands."""
        running = [(self.jobs[k], self.store.progress(self.jobs[k])) for k in self.running]
        left = sum(self.pace.seconds(job) * (1.0 - p.share) for job, p in running)
        left += sum(self.pace.seconds(self.jobs[k]) for k in self.waiting)
        failed = {self.jobs[k].name: why for k, why in self.failed.items()}
        return Board(len(self.jobs), len(self.done), running, failed, left / self.executor.slots)


class Pace:
    """Seconds a job takes: what its own kind took here beside what was declared, else what all did."""

    def __init__(self, jobs: dict[str, Job], store: Store) -> None:
        self._took: dict[str, tuple[float, float]] = {}
        for job in jobs.values():
            if store.done(job):
                self.learn(job, store.seconds(job)[1])

    def learn(self, job: Job, seconds: float) -> None:
        """A job of this kind took so long."""
        for kind in (job.kind, ""):
            took, declared = self._took.get(kind, (0.0, 0.0))
            self._took[kind] = (took + seconds, declared + job.work)

    def seconds(self, job: Job) -> float:
        """What the job will take."""
        took, declared = self._took.get(job.kind) or self._took.get("") or (1.0, 1.0)
        return job.work * took / declared if declared else job.work


def _told(sweep: _Sweep, store: Store) -> str:
    lines = [f"{len(sweep.failed)} of {len(sweep.jobs)} jobs failed:"]
    for key, error in list(sweep.failed.items())[:5]:
        job = sweep.jobs[key]
        where = f" (see {store.error(job)})" if store.error(job).is_file() else ""
        lines.append(f"  {job.name}: {error}{where}")
    return "\n".join([*lines, "the same command tries them again"])
