"""The way to where the policy takes over, flown by the robot's own planner."""

from dataclasses import dataclass, field

import numpy as np

from deqmpc_core.flight.commands import Arm, Command, GoTo, Takeoff
from deqmpc_core.flight.configuration import TIME_TOLERANCE, CommanderConfig
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import Array

RISEN = 0.05  # m above the place of rest: the robot has taken off


@dataclass(frozen=True)
class Leg:
    """What a tick of the approach came to: commands, done with this leg, or a reason to land."""

    commands: list[Command] = field(default_factory=list)
    done: bool = False
    land: str = ""


class Approach:
    """Begins with the take-off at t [s] from where the robot is seen; start (3,) world [m]. doubt: why
    nobody knows whether the take-off will be carried out, in words; empty while nothing speaks against it."""

    def __init__(self, config: CommanderConfig, start: Array, t: float, seen: Estimate) -> None:
        self._config, self._start = config, np.array(start, dtype=float)
        self._rest, self.doubt = float(seen.position[2]), ""
        self._leg_end = t + config.takeoff_duration
        self._settled_since: float | None = None

    def begin(self) -> list[Command]:
        """The commands of the take-off."""
        return [Arm(), Takeoff(self._config.takeoff_height, self._config.takeoff_duration)]

    @property
    def floor(self) -> float:
        """Height [m] at which the robot rested, 0 where that was no place on the floor."""
        return self._rest if abs(self._rest) < self._config.landed_height else 0.0

    def takeoff(self, t: float, seen: Estimate) -> Leg:
        """Rising; done with the command that leaves for the start. A take-off in doubt is no flight."""
        height, target = seen.position[2], self._config.takeoff_height
        if self.doubt and height > self._rest + RISEN:
            return Leg(land=self.doubt)
        if t >= self._leg_end - TIME_TOLERANCE and abs(height - target) < self._config.takeoff_tolerance:
            return Leg([self._leave(t, seen)], done=True)
        if t > self._leg_end + self._config.takeoff_limit:
            why = f"take-off did not reach {target:.2f} m: the robot is at {height:.2f} m"
            return Leg(land=f"{self.doubt}; {why}" if self.doubt else why)
        return Leg()

    def _leave(self, t: float, seen: Estimate) -> GoTo:
        """Go to the start from where the robot is."""
        distance = float(np.linalg.norm(self._start - seen.position))
        duration = max(self._config.goto_duration, distance / self._config.goto_speed)
        self._leg_end = t + duration
        return GoTo(self._start, 0.0, duration)

    def goto(self, t: float, seen: Estimate) -> Leg:
        """On the way and settling; done when the policy may take over."""
        if t < self._leg_end - TIME_TOLERANCE:
            return Leg()
        c = self._config
        distance = float(np.linalg.norm(seen.position - self._start))
        speed = float(np.linalg.norm(seen.velocity))
        if distance > c.settle_distance or speed > c.settle_speed:
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = t
        if self._settled_since is not None and t - self._settled_since >= c.settle_time - TIME_TOLERANCE:
            return Leg(done=True)
        if t > self._leg_end + c.settle_limit:
            where = f"{distance:.2f} m away at {speed:.2f} m/s"
            return Leg(land=f"the robot did not settle at the start within {c.settle_limit:.1f} s: {where}")
        return Leg()
