"""A commander with a robot that flies as told."""

import numpy as np

from deqmpc_core.flight import (
    Command,
    Commander,
    CommanderConfig,
    FlightPhase,
    FlightRequest,
    GoTo,
    Land,
    PlanPacket,
    PoseSample,
    Takeoff,
)

START = np.array([1.0, 0.0, 1.2])
STEP = 0.01  # m a tick at most: 0.5 m/s
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


def packet_at(t: float, place: np.ndarray = START) -> PlanPacket:
    rest = np.zeros((6, 3))
    return PlanPacket(t, 0.1, np.tile(place, (6, 1)), rest, rest, np.zeros(6), 0, 0, 0)


def noise(k: int) -> np.ndarray:
    """A micrometre that is never the same: poses equal to the last bit are frozen ones."""
    return 1e-6 * np.array([np.sin(k), np.cos(k), np.sin(3.0 * k)])


class Robot:
    """A robot that flies as told at once and smoothly, and a commander that is fed by it; what happened is
    in `sent`."""

    def __init__(self, config: CommanderConfig | None = None, steps: int = 20) -> None:
        self.commander = Commander(config)
        self.commander.start(FlightRequest(START, steps, 0.1))
        self.position, self.target = np.zeros(3), np.zeros(3)
        self.ticks, self.poses, self.plans, self.obeys_land = 0, True, True, True
        self.sent: list[tuple[float, Command]] = []

    @property
    def t(self) -> float:
        return self.ticks / 50

    def tick(self) -> list[Command]:
        t, commander = self.t, self.commander
        if self.poses:
            commander.on_pose(PoseSample(t - 0.01, self.ticks, self.position + noise(self.ticks), LEVEL), t)
        self._plan(t)
        commands = commander.tick(t)
        self._plan(t)
        for command in commands:
            self._obey(command)
        self.sent += [(t, command) for command in commands]
        way = 0.1 * (self.target - self.position)
        self.position = self.position + way * min(1.0, STEP / max(float(np.linalg.norm(way)), STEP))
        self.ticks += 1
        return commands

    def _plan(self, t: float) -> None:
        if self.plans and self.commander.wants_plan(t):
            assert self.commander.on_plan(packet_at(t), t)

    def _obey(self, command: Command) -> None:
        match command:
            case Takeoff(height, _):
                self.target = np.array([*self.position[:2], height])
            case GoTo(goal, _, _):
                self.target = goal
            case Land(height, _) if self.obeys_land:
                self.target = np.array([*self.position[:2], height])

    def until(self, phase: FlightPhase, limit: int = 2000) -> None:
        for _ in range(limit):
            if self.commander.phase is phase:
                return
            self.tick()
        raise AssertionError(f"never reached {phase}: {self.commander.phase} ({self.commander.reason})")

    def kinds(self) -> list[str]:
        """Names of the commands sent, repeats left out."""
        names = [type(command).__name__ for _, command in self.sent]
        return [name for k, name in enumerate(names) if k == 0 or names[k - 1] != name]

    def count(self, kind: type[Command]) -> int:
        return sum(isinstance(command, kind) for _, command in self.sent)
