"""The episodes of a run: processes started, flights flown, deaths and faults dealt with."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from geometry_msgs.msg import Point

from deqmpc.session.director import Director
from deqmpc.session.faults import Fault
from deqmpc.session.interrupts import interrupts_held
from deqmpc.session.processes import Death, Launch, Stack
from deqmpc.session.settings import COLD_TIMEOUT, RunSettings
from deqmpc.session.striker import Striker
from deqmpc.session.track import Track
from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.flight import FlightPhase
from deqmpc_policy_node.topics import COMMANDER_NODE, POLICY_NODE, RECORDER_NODE

LISTENERS = {"policy": POLICY_NODE, "commander": COMMANDER_NODE, "recorder": RECORDER_NODE}
"""Nodes that hear motion capture, by process."""
REFUSED = 2
START_TIMEOUT = 300.0
REFUSAL_TIMEOUT = 3.0
"""Time for a commander to accept after all what should be refused [s]."""
SILENCE = 40.0
"""Longer than the lock-step waits for a lost commander [s]."""

ON_THE_WAY = 90.0
"""Most that take-off, the way to the start and the landing may take [s]."""

BAG_TIMEOUT = 30.0
"""s a recorder that lags behind lock-step gets to close the bag of a flight."""


class ProcessDied(DeqmpcError):
    """A process the run cannot do without has ended."""


class Run:
    """Flies the episodes one by one over a running stack."""

    def __init__(
        self,
        settings: RunSettings,
        parameter_files: list[Path],
        directory: Path,
        show: Callable[[Track], None],
        launches: Mapping[str, Launch] | None = None,
    ) -> None:
        """launches: for processes that are not the plain nodes."""
        self._settings, self._show = settings, show
        self._directory, self._logs = directory, directory / "log"
        self._stack = Stack(parameter_files, self._logs, launches)
        self._flying = False
        self._striker: Striker | None = None
        self._told: set[str] = set()
        self.tracks: list[Track] = []
        self.deaths: list[Death] = []
        self._expected: set[str] = set()
        self._director: Director | None = None

    def __enter__(self) -> "Run":
        try:
            with interrupts_held():
                self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with interrupts_held():
            self._stop()

    def _start(self) -> None:
        for name in self._settings.nodes:
            self._stack.start(name)
        self._director = Director(self._watch, self._settings.lock_step)
        if self._settings.faults:
            self._director.watch_setpoints(self._settings.robot)

    def _stop(self) -> None:
        self._stack.stop()
        if self._director is not None:
            self._director.close()

    @property
    def unexpected(self) -> list[Death]:
        """Deaths that no fault was asked for."""
        return [death for death in self.deaths if death.name not in self._expected]

    def log(self, name: str) -> str:
        """What a process has written so far."""
        return self._stack.log(name)

    @property
    def troubled(self) -> bool:
        """A fault was asked for, or a process died."""
        return bool(self._settings.faults or self.deaths)

    def fly(self, episode: int, fault: Fault | None = None) -> Track:
        """One episode from reset to verdict, with a fault in the middle."""
        director, settings = self._connected(), self._settings
        track = Track(settings.seed, episode)
        self._revive()
        self._await_listeners(director)
        start = director.reset(track, START_TIMEOUT)
        self._striker = None if fault is None else self._make_striker(fault)
        if self._striker and self._striker.before_start():
            return self._grounded(director, track, start)
        if not settings.plant:
            director.start(start, settings.plans, settings.plan_period, START_TIMEOUT)
        self._flying = True
        self.tracks.append(track)
        self._follow(director, track)
        self._flying = False
        director.settle()
        self._await_bag(director)
        self._show(track)
        self._refuse_groundling(track)
        if self._striker:
            self._striker.after(track)
        return track

    def _make_striker(self, fault: Fault) -> Striker:
        return Striker(fault, self._stack, self._connected(), self._settings, self._directory)

    def _grounded(self, director: Director, track: Track, start: Point) -> Track:
        """A flight whose start should be refused; one that is accepted is flown nowhere."""
        try:
            director.start(start, self._settings.steps, self._settings.period, REFUSAL_TIMEOUT)
        except ConfigError as error:
            track.refusal = str(error)
        return track

    def _await_bag(self, director: Director) -> None:
        """The recorder gets time to close the flight's bag before the next flight's messages come."""
        if self._settings.record and not self._stack.dead("recorder"):
            director.until(lambda: director.bags >= len(self.tracks), BAG_TIMEOUT)

    def _refuse_groundling(self, track: Track) -> None:
        """A flight given up before take-off is bad input (no poses, no robot), and its reason the answer."""
        if track.phase == FlightPhase.FAULT.name and not track.took_off:
            self.tracks.remove(track)
            raise ConfigError(track.reason)

    def _connected(self) -> Director:
        if self._director is None:
            raise RuntimeError("use Run as a context manager")
        return self._director

    def _revive(self) -> None:
        """Processes killed in the last episode start anew."""
        for name in sorted(self._told):
            self._stack.start(name)
        self._told = set()

    def _await_listeners(self, director: Director) -> None:
        """Nothing is flown before policy, commander and recorder hear motion capture."""
        names = {LISTENERS[name] for name in self._settings.nodes if name in LISTENERS}
        if not director.until(lambda: director.listening(names), START_TIMEOUT):
            raise DeqmpcError(
                f"not all of {', '.join(sorted(names))} came up within {START_TIMEOUT:.0f} s; "
                f"see {self._logs}"
            )

    def _follow(self, director: Director, track: Track) -> None:
        """Until the verdict, or until the simulation has been silent for too long."""
        track.heard = time.monotonic()
        silence = SILENCE + (COLD_TIMEOUT if self._settings.plant else 0.0)
        longest = ON_THE_WAY + self._settings.steps * self._settings.period
        while track.verdict is None:
            director.spin(0.05)
            self._show(track)
            self._strike(track)
            if time.monotonic() - track.heard > silence:
                raise DeqmpcError(f"the simulation has said nothing for {silence:.0f} s; see {self._logs}")
            if track.now() > longest:
                raise DeqmpcError(f"the episode did not end within {longest:.0f} s; see {self._logs}")

    def _strike(self, track: Track) -> None:
        """Bring the fault about once the policy has flown a while."""
        if self._striker:
            self._expected |= self._striker.victims
            self._striker.look(track)

    def _watch(self) -> None:
        """Note deaths. In flight the others go on: what follows is what the run is to show."""
        for death in self._stack.deaths():
            if death.name in self._told:
                continue
            self._told.add(death.name)
            if not self._flying or death.name == "simulator":
                raise self._complaint(death)
            self.deaths.append(death)
            track = self.tracks[-1]
            track.happened.append((track.now(), str(death)))

    def _complaint(self, death: Death) -> DeqmpcError:
        """Status 2 is a node's refusal of its parameters: its sentence says all."""
        if death.status == REFUSED and death.sentence:
            return ConfigError(death.sentence)
        return ProcessDied(f"{death}; see {self._logs}")
