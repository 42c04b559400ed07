"""The node processes of a run: each in a group of its own, watched, and gone in the end whatever happens."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deqmpc.session.small_disk import mount_small_disk

MODULES = {
    "simulator": "deqmpc_sim.nodes.simulator",
    "policy": "deqmpc_policy_node.nodes.policy",
    "commander": "deqmpc_policy_node.nodes.commander",
    "recorder": "deqmpc_policy_node.nodes.recorder",
    "view": "deqmpc.view.node",
}
PR_SET_PDEATHSIG = 1
PATIENCE = ((signal.SIGINT, 8.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))


@dataclass(frozen=True)
class Death:
    """A process that ended: its name, exit status (negative: signal) and the sentence it left, if any."""

    name: str
    status: int
    sentence: str

    def __str__(self) -> str:
        killed = self.status < 0
        how = (
            f"was ended by {signal.Signals(-self.status).name}"
            if killed
            else f"ended with status {self.status}"
        )
        return f"the process '{self.name}' {how}" + (f": {self.sentence}" if self.sentence else "")


@dataclass(frozen=True)
class Launch:
    """How a process differs from the plain node: another module, further environment and arguments, a folder
    that is a disk of its own of so many bytes."""

    module: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    arguments: tuple[str, ...] = ()
    disk: Path | None = None
    disk_size: int = 0


class Stack:
    """Starts the nodes with parameter files and a log each."""

    def __init__(
        self, parameter_files: Sequence[Path], logs: Path, launches: Mapping[str, Launch] | None = None
    ) -> None:
        """launches: for the nodes that are started otherwise."""
        self._files, self._logs, self._launches = list(parameter_files), logs, launches or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str) -> None:
        """Start one node."""
        launch = self._launches.get(name, Launch())
        arguments = ["--ros-args"]
        for file in self._files:
            arguments += ["--params-file", str(file)]
        arguments += launch.arguments
        with (self._logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", launch.module or MODULES[name], *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: _prepare(launch),
                env={**os.environ, **dict(launch.environment)},
            )

    def deaths(self) -> list[Death]:
        """Processes that have ended by themselves."""
        ended = [(name, process.poll()) for name, process in self._processes.items()]
        return [Death(name, status, self._last_words(name)) for name, status in ended if status is not None]

    def dead(self, name: str) -> bool:
        """True when the process has ended."""
        return self._processes[name].poll() is not None

    def kill(self, name: str) -> None:
        """SIGKILL to the process's group: what a fault does."""
        _signal_group(self._processes[name], signal.SIGKILL)
        self._processes[name].wait()

    def tell(self, name: str, number: int) -> None:
        """Send a signal to the process alone."""
        self._processes[name].send_signal(number)

    def log(self, name: str) -> str:
        """What the process has written."""
        path = self._logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """End all, the simulator last: what flies in it gets to land. SIGINT, then SIGTERM, then SIGKILL."""
        last = {"simulator": self._processes["simulator"]} if "simulator" in self._processes else {}
        first = [process for name, process in self._processes.items() if name not in last]
        for processes in (first, list(last.values())):
            _end(processes)

    def _last_words(self, name: str) -> str:
        """The one sentence of an error of ours, or the last line of the log."""
        lines = self.log(name).splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        written = [line for line in lines if line.strip()]
        return errors[-1] if errors else (written[-1] if written else "")


def _end(processes: list[subprocess.Popen[bytes]]) -> None:
    for number, patience in PATIENCE:
        living = [process for process in processes if process.poll() is None]
        for process in living:
            _signal_group(process, number)
        _wait_for(living, patience)
    for process in processes:
        _signal_group(process, signal.SIGKILL)


def _wait_for(processes: list[subprocess.Popen[bytes]], patience: float) -> None:
    deadline = time.monotonic() + patience
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            continue


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signal the whole group: also what a dead leader left behind."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _prepare(launch: Launch) -> None:
    """In the child, before the node: its disk, and Linux's SIGTERM when the parent dies."""
    die_with_parent()
    if launch.disk is not None:
        mount_small_disk(launch.disk, launch.disk_size)


def die_with_parent() -> None:
    """Linux: SIGTERM when the parent dies, so that even kill -9 of the command leaves nothing behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
