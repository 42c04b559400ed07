"""Another policy is got ready while one flies: checked in a child process, loaded and warmed in a thread,
handed over when asked. No rclpy here."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deqmpc_core.errors import BundleError, DeqmpcError
from deqmpc_core.flight.pilot import PilotConfig
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_policy_node.loading import check_task, digest, directory_of, load_fitting, sound_policy, warm_up

CHECK_TIME = 180.0
"""s that the child process may take; kernels for another horizon compile for some ten seconds."""


@dataclass(frozen=True)
class Prepared:
    """The end of a preparation: the policy asked for, or why it cannot fly."""

    name: str
    policy: Policy | None
    why: str = ""


class Preparation:
    """One policy at a time; the thread that flies only looks at `poll`."""

    def __init__(
        self,
        task: Task,
        config: PilotConfig | None = None,
        check: Callable[[str, str], str] | None = None,
    ) -> None:
        """check(name, task) -> sha256 of what was found sound, or raises BundleError; by default a child
        process."""
        self._task, self._config = task, config
        self._check = check or checked_in_child
        self._kept: dict[str, Policy] = {}
        self._done: Prepared | None = None
        self._thread: threading.Thread | None = None
        self.name = ""
        """What is being prepared, empty when nothing is."""

    def preload(self, names: Sequence[str]) -> None:
        """Check and keep policies, so that a swap to them is immediate. Raises BundleError."""
        for name in names:
            self._kept[name] = sound_policy(name, self._task, self._config)

    def objection(self, name: str) -> str:
        """Why this name cannot even be tried, or nothing; looks at the disk only."""
        if self.name:
            return f"policy '{self.name}' is still being prepared; try again when it flies or has failed"
        try:
            directory = directory_of(name, self._task.name)
            if directory is not None:
                check_task(directory, self._task.name)
        except BundleError as error:
            return str(error)
        return ""

    def begin(self, name: str) -> None:
        """Start to prepare; `poll` tells the end. Only after `objection` had nothing to say."""
        self.name, self._done = name, None
        if name in self._kept:
            self._done = Prepared(name, self._kept[name])
            return
        self._thread = threading.Thread(target=self._prepare, args=(name,), name="prepare", daemon=True)
        self._thread.start()

    def poll(self) -> Prepared | None:
        """The end of the preparation, once; None while it goes on."""
        done = self._done
        if done is not None:
            self.name, self._done, self._thread = "", None, None
        return done

    def _prepare(self, name: str) -> None:
        """In the thread: it waits for the child most of the time; loading holds the interpreter's lock in
        pieces of some milliseconds."""
        try:
            found = self._check(name, self._task.name)
            policy = load_fitting(name, self._task)
            if digest(directory_of(name, self._task.name)) != found:
                raise BundleError(f"the bundle of '{name}' changed while it was checked; try again")
            warm_up(policy, self._task, self._config)
        except DeqmpcError as error:
            self._done = Prepared(name, None, str(error))
        except Exception as error:
            self._done = Prepared(name, None, f"{type(error).__name__}: {error}")
        else:
            self._done = Prepared(name, policy)


def checked_in_child(name: str, task: str) -> str:
    """The digest of a bundle that a process of its own found sound. Raises BundleError with its sentence."""
    command = [sys.executable, "-m", "deqmpc_policy_node.prepare", name, task]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_TIME, check=False)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"policy '{name}' was not ready within {CHECK_TIME:.0f} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        words = lines[-1].removeprefix("error: ") if lines else f"status {done.returncode}"
        raise BundleError(words)
    return json.loads(done.stdout.splitlines()[-1])["sha256"]
