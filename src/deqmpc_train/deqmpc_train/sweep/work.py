"""Doing a job, in whatever process: from its config to a folder in the store."""

import hashlib
import importlib
import importlib.util
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import read_json, write_json, write_text
from deqmpc_train.sweep.job import Job
from deqmpc_train.sweep.store import CLOCK, ERROR, JOB, PROGRESS, RESULT, SCRATCH, Store

_TELL_EVERY = 1.0  # s
_SOURCES = ("deqmpc_core", "deqmpc_sim", "deqmpc_train")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class Work:
    """What a job's function is given. config: the job's. place: the folder for its files, where those of an
    attempt that was broken off are. needs: folders of the finished jobs it depends on, by role."""

    def __init__(
        self, config: Mapping[str, Any], place: Path, needs: Mapping[str, Path], hints: Mapping[str, Any]
    ) -> None:
        self.config, self.place, self.needs, self.hints = config, place, needs, hints
        self._before = _clock(place)
        self._cpu, self._wall, self._told = _cpu_seconds(), time.monotonic(), 0.0

    def found(self, role: str) -> dict[str, Any]:
        """The result of what it depends on."""
        return read_json(self.needs[role] / RESULT)

    def progress(self, done: int, total: int) -> None:
        """Say how far it is; written at most once a second."""
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY or done == 0:
            self._told = now
            told = {"done": done, "total": total, "pid": os.getpid(), **self.clock()}
            write_json(self.place / PROGRESS, told)

    def clock(self) -> dict[str, float]:
        """Processor and wall seconds so far, of earlier attempts too as far as they told."""
        cpu, wall = _cpu_seconds() - self._cpu, time.monotonic() - self._wall
        return {"cpu_seconds": self._before[0] + cpu, "wall_seconds": self._before[1] + wall}


Function = Callable[[Work], dict[str, Any]]


def perform(root: Path, job: Job) -> None:
    """Do the job unless its result is there; whoever comes second waits and finds it."""
    store = Store(root)
    with store.alone(job):
        if store.done(job):
            return
        part = store.part(job)
        if not (part / RESULT).is_file():  # else it was killed between the result and the last rename
            _compute(store, job, part)
        for gone in (part / SCRATCH, store.place(job)):  # a folder without a result is no result
            shutil.rmtree(gone, ignore_errors=True)
        (part / PROGRESS).unlink(missing_ok=True)
        part.rename(store.place(job))


def _compute(store: Store, job: Job, part: Path) -> None:
    """The job's files in `part`, its result last."""
    one_thread(job.resources.cores)
    part.mkdir(parents=True, exist_ok=True)
    (part / ERROR).unlink(missing_ok=True)
    write_json(part / JOB, {"name": job.name, "code": code_digest(), **json.loads(job.described())})
    needs = {role: store.place(needed) for role, needed in job.needs.items()}
    work = Work(job.config, part, needs, job.hints)
    work.progress(0, 1)
    result = function(job.run)(work)
    write_json(part / CLOCK, work.clock())
    write_text(part / RESULT, json.dumps(result, indent=1, sort_keys=True, allow_nan=False) + "\n")


@cache
def code_digest() -> str:
    """SHA-256 over the sources that results come from."""
    found = hashlib.sha256()
    for package in _SOURCES:
        spec = importlib.util.find_spec(package)
        for place in (spec and spec.submodule_search_locations) or ():
            for source in sorted(Path(place).rglob("*.py")):
                found.update(source.read_bytes())
    return found.hexdigest()[:16]


def attempt(root: Path, job: Job) -> str | None:
    """Do the job; None, or one line on why it failed, the whole of which is in its folder."""
    import traceback

    try:
        perform(root, job)
    except Exception as error:
        part = Store(root).part(job)
        part.mkdir(parents=True, exist_ok=True)
        write_text(part / ERROR, traceback.format_exc())
        return f"{type(error).__name__}: {error}"
    return None


def function(run: str) -> Function:
    """What "module:function" names. Raises ConfigError where it is not there."""
    module, _, name = run.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"job function '{run}': {error}; expected MODULE:FUNCTION") from error


def one_thread(cores: int = 1) -> None:
    """Libraries compute with so many threads (0: one too, for the machine is to be quiet), whether they are
    loaded already or later: a result must not depend on where it was made."""
    count = max(cores, 1)
    os.environ |= dict.fromkeys(_THREADS, str(count))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _clock(place: Path) -> tuple[float, float]:
    try:
        told = read_json(place / PROGRESS)
        return float(told["cpu_seconds"]), float(told["wall_seconds"])
    except (ConfigError, KeyError, TypeError):
        return 0.0, 0.0


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
