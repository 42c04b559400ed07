"""Jobs on a Ray cluster: Ray places them, counts cores, memory and shares of GPUs, and tries them again.

The store must be a folder that all machines see at the same path, and every machine needs this project
installed. `pip install 'deqmpc_train[cluster]'`.
"""

import importlib
from pathlib import Path
from typing import Any, Literal

from deqmpc_core.errors import ConfigError
from deqmpc_train.sweep.executor import Ended
from deqmpc_train.sweep.job import Job
from deqmpc_train.sweep.work import attempt

Placement = Literal["spread", "pack"]
_STRATEGY = {"spread": "SPREAD", "pack": "DEFAULT"}
_GIB = 2**30
_RESULTS = 200 * 2**20  # bytes of memory that results share: each is one line
_JOBS_EACH = 20  # then a worker is replaced: compiled kernels of many robots and horizons add up


class RayExecutor:
    """address: of a running cluster ("auto": the one this machine belongs to), or None to start one on this
    machine, with `cores` if given. retries: how often a job is tried again after its worker or machine died.
    placement: "spread" over machines, or "pack" them."""

    def __init__(
        self, address: str | None = None, cores: int | None = None, retries: int = 3,
        placement: Placement = "spread",
    ) -> None:  # fmt: skip
        self._ray: Any = _imported()
        self._own = not self._ray.is_initialized()
        if self._own:
            self._connect(address, cores)
        self._options = {"max_retries": retries, "scheduling_strategy": _STRATEGY[placement]}
        self._attempt = self._ray.remote(max_calls=_JOBS_EACH)(_attempt)
        self._running: dict[Any, Job] = {}

    def _connect(self, address: str | None, cores: int | None) -> None:
        started = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _RESULTS}
        options = {} if address else started
        try:  # "local": never one that happens to run here
            self._ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # Ray raises plain ones here
            what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            raise ConfigError(
                f"Ray did not {'answer' if address else 'start'}: {what}; on a machine that has too "
                "much to do it gives up early: try again when it is free"
            ) from error

    @property
    def slots(self) -> int:
        """The cluster's cores."""
        return max(int(self._ray.cluster_resources().get("CPU", 1)), 1)

    def check(self, job: Job) -> None:
        """See Executor."""
        wanted = self._wanted(job)
        if not any(all(node.get(k, 0.0) >= v for k, v in wanted.items()) for node in self._machines()):
            raise ConfigError(
                f"job '{job.name}': no machine of the cluster has {wanted['CPU']:g} cores, "
                f"{job.resources.memory:g} GiB and {wanted['GPU']:g} GPUs; add one, or ask for less"
            )

    def start(self, job: Job, root: Path) -> bool:
        """Hand it to Ray, which waits for room."""
        wanted = self._wanted(job)
        task = self._attempt.options(
            name=job.name, num_cpus=wanted["CPU"], num_gpus=wanted["GPU"], memory=int(wanted["memory"]),
            **self._options,
        )  # fmt: skip
        self._running[task.remote(str(root), job)] = job
        return True

    def ended(self, seconds: float) -> list[Ended]:
        """See Executor."""
        if not self._running:
            return []
        waiting = list(self._running)
        ready, _ = self._ray.wait(waiting, num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [Ended(self._running.pop(task).key, self._outcome(task)) for task in ready]

    def stop(self) -> None:
        """See Executor; a cluster that was started here ends too."""
        for task in self._running:
            self._ray.cancel(task, force=True)
        self._running = {}
        if self._own:
            self._ray.shutdown()

    def _outcome(self, task: Any) -> str | None:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            return f"its worker could not begin: {str(error).splitlines()[-1]}"
        except self._ray.exceptions.RayError as error:
            return f"its worker died too often: {str(error).splitlines()[0]}"

    def _wanted(self, job: Job) -> dict[str, float]:
        need, most = job.resources, self._largest("CPU")
        return {"CPU": min(need.cores or most, most), "GPU": need.gpus, "memory": need.memory * _GIB}

    def _machines(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def _largest(self, resource: str) -> float:
        return max(node.get(resource, 0.0) for node in self._machines())


def _attempt(root: str, job: Job) -> str | None:
    """In a worker of Ray's."""
    return attempt(Path(root), job)


def _imported() -> Any:
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "the executor 'ray' needs Ray: pip install 'deqmpc_train[cluster]', or use --executor local"
        ) from error
