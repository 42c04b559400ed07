"""The firmware's high-level planner: takeoff, land and go_to as one 7th-order polynomial an axis, evaluated
at 100 Hz.
"""

import math
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_sim.firmware.truth import Array

_POWERS = np.arange(4, 8)
_END = np.array([np.ones(4), _POWERS, _POWERS * (_POWERS - 1), _POWERS * (_POWERS - 1) * (_POWERS - 2)])
_END_INVERSE = np.linalg.inv(_END)


class PlannerState(Enum):
    """IDLE asks for motors off; FLYING follows and then holds its plan; LANDING ends in IDLE."""

    IDLE = "idle"
    FLYING = "flying"
    LANDING = "landing"


class PlannedPoint(NamedTuple):
    """A point of a plan or a told state: position, velocity, acceleration (3,) world; yaw [rad], yaw rate
    [rad/s].
    """

    position: Array
    velocity: Array
    acceleration: Array
    yaw: float
    yaw_rate: float

    @classmethod
    def at(cls, position: ArrayLike, yaw: float, velocity: ArrayLike = (0.0, 0.0, 0.0)) -> "PlannedPoint":
        """A point without acceleration or turning."""
        return cls(np.array(position, dtype=float), np.array(velocity, dtype=float), np.zeros(3), yaw, 0.0)

    def axes(self) -> Array:
        """(3, 4): value, rate and acceleration of x, y, z and yaw."""
        values = np.append(self.position, self.yaw)
        return np.stack([values, np.append(self.velocity, self.yaw_rate), np.append(self.acceleration, 0.0)])


def _wrap(angle: float) -> float:
    return math.remainder(angle, 2.0 * math.pi)


def _polynomial(start: Array, end: Array, duration: float) -> Array:
    """Coefficients (8, 4) over s in [0, 1], lowest first, meeting start and end (3, 4) with no jerk at
    either.
    """
    scale = np.array([1.0, duration, duration**2])[:, None]
    first, last = start * scale, end * scale
    low = np.stack([first[0], first[1], 0.5 * first[2], np.zeros(4)])
    reached = np.stack([low[:3].sum(0), first[1] + first[2], first[2], np.zeros(4)])
    wanted = np.concatenate([last, np.zeros((1, 4))])
    return np.concatenate([low, _END_INVERSE @ (wanted - reached)])


class HighLevelPlanner:
    """One planned piece and what it starts from. Heights and goals are absolute world metres; yaw is in
    radians.
    """

    def __init__(self) -> None:
        self.state = PlannerState.IDLE
        self._last = PlannedPoint.at((0.0, 0.0, 0.0), 0.0)
        self._coefficients = np.zeros((8, 4))
        self._begin, self._duration = 0.0, 1.0

    def tell(self, position: ArrayLike, velocity: ArrayLike, yaw: float) -> None:
        """The state to plan from while no plan is followed."""
        self._last = PlannedPoint.at(position, yaw, velocity)

    def stop(self) -> None:
        """Forget the plan: motors off until the next one."""
        self.state = PlannerState.IDLE

    def takeoff(self, height: float, duration: float, t: float) -> bool:
        """Straight up to a height, from IDLE only; yaw turns to 0."""
        if self.state is not PlannerState.IDLE:
            return False
        self._vertical(height, duration, t)
        self.state = PlannerState.FLYING
        return True

    def land(self, height: float, duration: float, t: float) -> bool:
        """Straight down to a height, then IDLE; refused while already landing."""
        if self.state is PlannerState.LANDING:
            return False
        self._vertical(height, duration, t)
        self.state = PlannerState.LANDING
        return True

    def go_to(self, goal: ArrayLike, yaw: float, duration: float, relative: bool, t: float) -> None:
        """To goal (3,) and yaw by the shortest turn, relative to the last setpoint if asked, then hover."""
        start = self._last if self.state is PlannerState.IDLE else self.evaluate(t)
        goal = np.asarray(goal, dtype=float)
        if relative:
            goal, yaw = goal + start.position, yaw + start.yaw
        self._plan(start, goal, yaw, duration, t)
        self.state = PlannerState.FLYING

    def _vertical(self, height: float, duration: float, t: float) -> None:
        start = PlannedPoint.at(self._last.position, self._last.yaw)
        goal = np.array([start.position[0], start.position[1], height])
        self._plan(start, goal, 0.0, duration, t)

    def _plan(self, start: PlannedPoint, goal: Array, yaw: float, duration: float, t: float) -> None:
        heading = _wrap(start.yaw)
        begin = start._replace(yaw=heading)
        end = PlannedPoint.at(goal, heading + _wrap(yaw - heading))
        self._coefficients = _polynomial(begin.axes(), end.axes(), duration)
        self._begin, self._duration = t, duration

    def finished(self, t: float) -> bool:
        """Whether the plan's duration is over."""
        return t - self._begin >= self._duration

    def evaluate(self, t: float) -> PlannedPoint:
        """The plan at t, held at its ends."""
        s = min(1.0, max(0.0, (t - self._begin) / self._duration))
        powers = s ** np.arange(8)
        c = self._coefficients
        value = powers @ c
        rate = (np.arange(1, 8) * powers[:7]) @ c[1:] / self._duration
        bend = (np.arange(2, 8) * np.arange(1, 7) * powers[:6]) @ c[2:] / self._duration**2
        return PlannedPoint(value[:3], rate[:3], bend[:3], float(value[3]), float(rate[3]))

    def advance(self, t: float) -> PlannedPoint | None:
        """The setpoint at t, or None while idle; a landing whose time is over becomes idle after one last
        point.
        """
        if self.state is PlannerState.IDLE:
            return None
        if self.state is PlannerState.LANDING and self.finished(t):
            self.state = PlannerState.IDLE
        self._last = self.evaluate(t)
        return self._last
