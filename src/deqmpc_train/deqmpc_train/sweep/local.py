"""Jobs in processes of this machine, within its cores and its memory."""

import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from deqmpc_core.errors import ConfigError
from deqmpc_train.sweep.executor import Ended
from deqmpc_train.sweep.job import Job, Resources
from deqmpc_train.sweep.work import attempt, one_thread

_JOBS_EACH = 20  # then a worker is replaced: compiled kernels of many robots and horizons add up
_LEFT_FREE = 0.8  # share of the machine's memory that jobs may plan with
_GIB = 2.0**30


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    jobs: int = 0

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


@dataclass
class _Seat:
    """A job at work. tries: how often its worker may still die."""

    worker: _Worker
    job: Job
    root: Path
    tries: int


class LocalExecutor:
    """cores, memory [GiB]: what jobs may occupy together, by default the machine's cores and most of its
    memory. retries: how often a job is tried again after its worker died."""

    def __init__(self, cores: int | None = None, memory: float | None = None, retries: int = 3) -> None:
        self.cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self.memory = _LEFT_FREE * _physical() if memory is None else memory
        if self.cores < 1:
            raise ConfigError(f"cores: expected at least 1, got {self.cores}")
        self.retries = retries
        self._idle: list[_Worker] = []
        self._seats: dict[str, _Seat] = {}

    @property
    def slots(self) -> int:
        """One a core."""
        return self.cores

    def start(self, job: Job, root: Path) -> bool:
        """See Executor."""
        used = [self._taken(seat.job.resources) for seat in self._seats.values()]
        cores, memory = self._taken(job.resources)
        if used and (
            cores + sum(c for c, _ in used) > self.cores or memory + sum(m for _, m in used) > self.memory
        ):
            return False
        self._begin(_Seat(self._worker(), job, root, self.retries))
        return True

    def ended(self, seconds: float) -> list[Ended]:
        """See Executor."""
        seats = {seat.worker.pipe: seat for seat in self._seats.values()}
        told = [
            self._told(seats[pipe]) for pipe in wait(list(seats), seconds) if isinstance(pipe, Connection)
        ]
        return [end for end in told if end is not None]

    def stop(self) -> None:
        """See Executor."""
        for worker in [*self._idle, *(seat.worker for seat in self._seats.values())]:
            worker.end()
        self._idle, self._seats = [], {}

    def check(self, job: Job) -> None:
        """See Executor; a job of more cores than there are takes them all."""
        need = job.resources
        if need.gpus:
            raise ConfigError(f"job '{job.name}' needs a GPU; the local executor has none, use ray")
        if need.memory > self.memory:
            raise ConfigError(
                f"job '{job.name}' needs {need.memory:g} GiB; there are {self.memory:.1f}; give more by "
                "--memory, or use a cluster"
            )

    def _taken(self, need: Resources) -> tuple[int, float]:
        return min(need.cores or self.cores, self.cores), need.memory

    def _worker(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_alive():
                return worker
            worker.end()
        return _new_worker()

    def _begin(self, seat: _Seat) -> None:
        self._seats[seat.job.key] = seat
        seat.worker.jobs += 1
        seat.worker.pipe.send((seat.root, seat.job))

    def _told(self, seat: _Seat) -> Ended | None:
        """A job's end, or None where its worker died and another one has it now."""
        try:
            error = seat.worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._died(seat)
        del self._seats[seat.job.key]
        if seat.worker.jobs < _JOBS_EACH:
            self._idle.append(seat.worker)
        else:
            seat.worker.end()
        return Ended(seat.job.key, error)

    def _died(self, seat: _Seat) -> Ended | None:
        seat.worker.end()
        del self._seats[seat.job.key]
        if seat.tries:
            self._begin(_Seat(_new_worker(), seat.job, seat.root, seat.tries - 1))
            return None
        code = seat.worker.process.exitcode
        return Ended(seat.job.key, f"its worker died {self.retries + 1} times, last with exit status {code}")


def _new_worker() -> _Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,))
    process.start()
    there.close()
    return _Worker(process, here)


def _serve(pipe: Connection) -> None:
    """A worker's life: job after job; a stop by keyboard is its parent's to hear, and it never outlives
    it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    one_thread()
    while True:
        try:
            root, job = pipe.recv()
        except EOFError:
            return
        pipe.send(attempt(root, job))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _physical() -> float:
    """Memory of the machine [GiB]."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
