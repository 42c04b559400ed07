"""Sweeps: jobs whose results are kept by what they depend on, on this machine or on a Ray cluster."""

from deqmpc_train.sweep.executor import Ended, Executor
from deqmpc_train.sweep.job import Job, Resources
from deqmpc_train.sweep.run import Board, Report, closure, run
from deqmpc_train.sweep.store import SCRATCH, Store
from deqmpc_train.sweep.work import Work, perform

__all__ = [
    "SCRATCH", "Board", "Ended", "Executor", "Job", "Report", "Resources", "Store", "Work", "closure",
    "perform", "run",
]  # fmt: skip
