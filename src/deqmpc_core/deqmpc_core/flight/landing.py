"""The hand-over from streamed setpoints to the robot's own landing, and the watch over it."""

import numpy as np

from deqmpc_core.flight.commands import Command, Land, NotifySetpointsStop
from deqmpc_core.flight.configuration import TIME_TOLERANCE, CommanderConfig
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import Array

RETRY = 0.1
FALLING = 3.0
"""Times land_speed: the planner's landing peaks at 2.2 times its mean, so what sinks faster is no landing."""
STILL, REST, NEAR = 0.005, 1.0, 2.0
"""m, s, times landed_height: a pose so still for so long, so low after the landing's end is that of a robot
at rest. Higher up it may hover, which can be as still."""


class Landing:
    """One landing. Stream stopped, NotifySetpointsStop and Land leave in one tick: between them the robot's
    planner idles with the motors off. They are repeated together until the robot is seen to descend, and
    again whenever it stops descending above the floor: one lost packet would leave it hovering, and a
    setpoint that arrives late takes the priority back and erases the planner's landing. A robot that lies
    still near the floor after its landing should have ended is told no more: Land would start its motors."""

    def __init__(
        self, config: CommanderConfig, t: float, seen: Estimate | None, streamed: bool, floor: float = 0.0
    ) -> None:
        """t [s] is the tick of the hand-over, seen the last known state, streamed whether setpoints were
        sent before, floor the height [m] at which the robot rests."""
        self._config, self._floor = config, floor
        self._began = t
        self._height = self._lowest = 0.0 if seen is None else float(seen.position[2])
        self._end = t + self._duration(self._height)
        self._notify = streamed
        self._next = self._last = t
        self._sent = self._rests = False
        self._low_since: float | None = None
        self._still: tuple[float, Array] | None = None

    def tick(self, t: float, seen: Estimate | None) -> list[Command]:
        """Commands due at t [s]; seen is a fresh estimate, or None while poses are late."""
        if seen is not None:
            self._watch(t, seen)
        elif t > self._end + self._config.land_period:
            return []  # blind and in all likelihood down: another Land would start the motors again
        due = t >= self._next - TIME_TOLERANCE and not self._rests
        return self._send(t) if due else []

    def retry(self, t: float, notify: bool) -> None:
        """The robot refused a command at t: send Land again soon, after NotifySetpointsStop if that was
        refused."""
        self._next, self._notify = min(self._next, t + RETRY), self._notify or notify

    def begin_again(self, t: float) -> None:
        """The operator insists at t: the landing is sent at once and watched anew."""
        self._next, self._end = t, t + self._duration(self._height)
        self._still, self._rests = None, False

    def low(self, seen: Estimate) -> bool:
        """Whether this is the height of a robot on the floor."""
        return float(seen.position[2]) < self._floor + self._config.landed_height

    def landed(self, t: float) -> bool:
        """Low and slow for long enough."""
        return (
            self._low_since is not None and t - self._low_since >= self._config.landed_time - TIME_TOLERANCE
        )

    def overdue(self, t: float) -> bool:
        """No landing seen within the limit."""
        return t - self._began > self._config.land_limit

    def _watch(self, t: float, seen: Estimate) -> None:
        height, speed = float(seen.position[2]), float((seen.velocity @ seen.velocity) ** 0.5)
        descending = height < self._lowest - self._config.land_descent
        self._lowest = height if descending else self._lowest
        falling = seen.velocity[2] < -FALLING * self._config.land_speed
        if self._sent and falling:
            self._next = min(self._next, self._last + RETRY)
        elif self._sent and (descending or self.low(seen)):
            self._next = t + self._config.land_period
        low = self.low(seen) and speed < self._config.landed_speed
        self._low_since = (t if self._low_since is None else self._low_since) if low else None
        self._watch_rest(t, seen)

    def _watch_rest(self, t: float, seen: Estimate) -> None:
        """Latched, because a hand may lift the robot next."""
        near = seen.position[2] < self._floor + NEAR * self._config.landed_height
        moved = self._still is None or float(np.linalg.norm(seen.position - self._still[1])) > STILL
        if t < self._end or moved or not near or self._still is None:
            self._still = (t, seen.position)
        elif t - self._still[0] >= REST - TIME_TOLERANCE:
            self._rests = True

    def _send(self, t: float) -> list[Command]:
        """Land with the time left, so that repeating it does not put the touch-down off, but never in a
        rush."""
        duration = max(self._end - t, 0.5 * self._duration(self._height))
        commands: list[Command] = [NotifySetpointsStop()] if self._notify else []
        self._next, self._sent, self._last = t + self._config.land_period, True, t
        return [*commands, Land(self._config.land_height, duration)]

    def _duration(self, height: float) -> float:
        return max(self._config.land_duration, height / self._config.land_speed)
