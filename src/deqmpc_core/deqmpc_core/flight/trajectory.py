"""The plan as the commander sees it: knots in the world frame, sampled at any time into a setpoint for the
robot."""

import math
from dataclasses import dataclass

import numpy as np

from deqmpc_core.flight.frames import Array

WIRE_LIMIT = 32.767
"""FullState travels as int16 of mm, mm/s, mm/s^2: values beyond this [m, m/s, m/s^2] wrap around in the
radio packet."""


@dataclass(frozen=True)
class Setpoint:
    """Where the robot shall be: position, velocity, acceleration without gravity (3,) in the world frame,
    yaw [rad]."""

    position: Array
    velocity: Array
    acceleration: Array
    yaw: float

    def is_finite(self) -> bool:
        """True when every number is finite."""
        values = (self.position, self.velocity, self.acceleration, self.yaw)
        return all(bool(np.all(np.isfinite(value))) for value in values)

    def limited(self, limit: float = WIRE_LIMIT) -> "Setpoint":
        """The same setpoint with every component within +-limit, so that the packet cannot wrap."""
        position, velocity, acceleration = (
            np.clip(value, -limit, limit) for value in (self.position, self.velocity, self.acceleration)
        )
        return Setpoint(
            position, velocity, acceleration, float(np.arctan2(np.sin(self.yaw), np.cos(self.yaw)))
        )


@dataclass(frozen=True)
class PlanPacket:
    """A plan on its way to the commander.

    stamp [s]: world time of knot 0; dt [s]: knot spacing. x_world, velocity_world, acceleration_world (T+1,
    3): position, velocity and acceleration without gravity of each knot, world frame; yaw (T+1,) [rad].
    status: code of the solver's Status; frame_number: newest motion-capture frame the plan knows; sequence
    counts plans. violation: largest constraint violation left, in the constraint's own unit; NaN: not told.
    """

    stamp: float
    dt: float
    x_world: Array
    velocity_world: Array
    acceleration_world: Array
    yaw: Array
    status: int
    frame_number: int
    sequence: int
    violation: float = math.nan

    @property
    def end(self) -> float:
        """World time of the last knot [s]."""
        return self.stamp + self.dt * (len(self.x_world) - 1)

    def fault(self) -> str | None:
        """What makes this plan unusable, in words, or None: shapes, spacing and finiteness."""
        shape = np.shape(self.x_world)
        if len(shape) != 2 or shape[0] < 2 or shape[1] != 3:
            return f"positions must be (T+1, 3) with T >= 1, got {shape}"
        if np.shape(self.velocity_world) != shape or np.shape(self.acceleration_world) != shape:
            return "positions, velocities and accelerations differ in shape"
        if np.shape(self.yaw) != shape[:1]:
            return f"yaw must be ({shape[0]},), got {np.shape(self.yaw)}"
        if not (np.isfinite(self.stamp) and np.isfinite(self.dt) and self.dt > 0.0):
            return f"the stamp must be finite and dt positive, got {self.stamp} and {self.dt}"
        arrays = (self.x_world, self.velocity_world, self.acceleration_world, self.yaw)
        if not all(np.all(np.isfinite(array)) for array in arrays):
            return "it holds NaN or infinity"
        return None

    def sample(self, t: float, feedforward_t: float | None = None) -> Setpoint:
        """The setpoint at world time t [s], held at the first and last knot; feedforward_t: another time
        for the acceleration.

        Position is the cubic of the knots' positions and velocities, velocity the cubic of their velocities
        and accelerations, acceleration linear: exact and mutually consistent for any motion of constant
        jerk. One quintic through all three would turn 1 mm of an unfinished solve's dynamics violation into
        0.6 m/s^2 of acceleration.
        """
        index, fraction = self._locate(t)
        near = slice(index, index + 2)
        position = _cubic(self.x_world[near], self.velocity_world[near], self.dt, fraction)
        velocity = _cubic(self.velocity_world[near], self.acceleration_world[near], self.dt, fraction)
        turn = self.yaw[index + 1] - self.yaw[index]
        yaw = self.yaw[index] + fraction * np.arctan2(np.sin(turn), np.cos(turn))
        return Setpoint(
            position, velocity, self._acceleration(t if feedforward_t is None else feedforward_t), float(yaw)
        )

    def _acceleration(self, t: float) -> Array:
        index, fraction = self._locate(t)
        return (1.0 - fraction) * self.acceleration_world[index] + fraction * self.acceleration_world[
            index + 1
        ]

    def _locate(self, t: float) -> tuple[int, float]:
        """Interval that holds t and the fraction passed of it."""
        intervals = len(self.x_world) - 1
        knots = min(max((t - self.stamp) / self.dt, 0.0), float(intervals))
        index = min(int(knots), intervals - 1)
        return index, knots - index


def _cubic(value: Array, slope: Array, dt: float, s: float) -> Array:
    """Cubic Hermite interpolation (3,) of end values (2, 3) and end slopes (2, 3) at the fraction s of dt."""
    rest = 1.0 - s
    ends = (1.0 + 2.0 * s) * rest * rest * value[0] + s * s * (3.0 - 2.0 * s) * value[1]
    return ends + dt * s * rest * (rest * slope[0] - s * slope[1])
