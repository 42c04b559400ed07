"""Brings one fault about: before the start, in mid-flight, and what is left to do after it."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from deqmpc.session.faults import AFTER_STEPS, Fault
from deqmpc.session.faulty_policy import PERIOD, SIGNAL, SPOIL
from deqmpc.session.flown import POLICY
from deqmpc.session.processes import Launch, Stack
from deqmpc.session.settings import RunSettings
from deqmpc.session.track import Track
from deqmpc_core.bundle import list_bundles, read_config
from deqmpc_core.errors import ConfigError

if TYPE_CHECKING:
    from deqmpc.session.director import Director

ASKED, ANSWERED = 10.0, 90.0
"""Wall time to wait for the simulator's and the policy node's answers [s]."""
FAULTY = "deqmpc.session.faulty_policy"


def launches(fault: Fault, period: float, folder: Path) -> dict[str, Launch]:
    """Processes that the fault needs started otherwise; period [s] of the policy, folder: the run's."""
    found: dict[str, Launch] = {}
    if fault.spoil:
        found["policy"] = Launch(FAULTY, ((SPOIL, fault.spoil), (PERIOD, str(period))))
    if fault.disk_size:
        disk = folder.resolve() / "disk"
        disk.mkdir(exist_ok=True)
        bag = ("-p", f"directory:={disk}/bag")
        found["recorder"] = Launch(arguments=bag, disk=disk, disk_size=fault.disk_size)
    return found


def wrong_bundle(kind: str, task: str, folder: Path) -> Path:
    """A bundle that must not be flown: of another task, or a copy in `folder` with half the weights.

    Raises ConfigError where there is none to take.
    """
    for directory in list_bundles():
        same = read_config(directory).task == task
        if kind == "other_task" and not same:
            return directory
        if kind == "corrupt" and same and (directory / "model.safetensors").is_file():
            copy = folder / directory.name
            shutil.copytree(directory, copy)
            weights = copy / "model.safetensors"
            os.truncate(weights, weights.stat().st_size // 2)
            return copy
    raise ConfigError(f"no bundle to make a swap '{kind}' of; train one or set DEQMPC_MODELS")


class Striker:
    """before_start() once the robot stands ready, look() while it flies, after() when it is over."""

    def __init__(
        self, fault: Fault, stack: Stack, director: "Director", settings: RunSettings, folder: Path
    ) -> None:
        """folder: where a broken bundle may be put."""
        self._fault, self._stack, self._director = fault, stack, director
        self._settings, self._folder = settings, folder
        self._struck = False

    @property
    def victims(self) -> set[str]:
        """Processes that are meant to die."""
        return {self._fault.kill} - {""}

    def before_start(self) -> bool:
        """Ask the simulator for its part; True when the start is to be refused."""
        strike = self._fault.strike
        if strike is not None:
            self._director.strike(strike, ASKED)
            if self._fault.grounded:
                self._director.withdrawn(f"/{self._settings.robot}/{strike.target}", ASKED)
        return self._fault.grounded

    def look(self, track: Track) -> None:
        """Act once the policy has flown a while."""
        fault = self._fault
        if self._struck or fault.strike is not None or track.flown < AFTER_STEPS:
            return
        self._struck, track.struck = True, track.now()
        if fault.kill:
            self._stack.kill(fault.kill)
        elif fault.spoil:
            self._stack.tell("policy", SIGNAL)
        elif fault.swap:
            place = wrong_bundle(fault.swap, self._settings.task, self._folder / "corrupt")
            self._director.load_policy(str(place))

    def after(self, track: Track) -> None:
        """Note when the simulator struck; wait for an answer that is due."""
        strike = self._fault.strike
        began = next((t for t, phase, _ in track.phases if phase == POLICY), None)
        if strike is not None and began is not None:
            track.struck = began + strike.after
        if self._fault.swap:
            self._director.await_swap(track, ANSWERED)
