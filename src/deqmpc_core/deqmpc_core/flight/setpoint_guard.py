"""The last gate before the radio: setpoints finite, inside the inner geofence, within speed, acceleration
and slew limits and the packet's range."""

import numpy as np

from deqmpc_core.flight.configuration import SafetyConfig
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.trajectory import Setpoint

LONGEST_STEP = 0.1
"""After a longer pause between setpoints the slew limits allow no more than after this [s]."""


class SetpointGuard:
    """Each limited set is convex and every step goes straight from the last setpoint towards the wanted one,
    so what leaves never leaves them."""

    def __init__(self, config: SafetyConfig, fence: Fence, start: Setpoint, t: float) -> None:
        """start: where the robot is when the stream begins, at t [s]; finite."""
        self._config, self._fence = config, fence
        self.last, self._time = self._clamped(start), t

    def rest(self) -> Setpoint:
        """Standing still where the last setpoint was."""
        return Setpoint(self.last.position, np.zeros(3), np.zeros(3), self.last.yaw)

    def admit(self, wanted: Setpoint, t: float) -> Setpoint:
        """What may leave at t [s] for a wanted setpoint; one that is not finite becomes rest()."""
        target = self._clamped(wanted if wanted.is_finite() else self.rest())
        c, last = self._config, self.last
        dt = min(max(t - self._time, 0.0), LONGEST_STEP)
        turn = float(np.arctan2(np.sin(target.yaw - last.yaw), np.cos(target.yaw - last.yaw)))
        limit = c.slew_yaw * dt
        self.last = Setpoint(
            _step(last.position, target.position, c.slew_position * dt),
            _step(last.velocity, target.velocity, c.slew_velocity * dt),
            _step(last.acceleration, target.acceleration, c.slew_acceleration * dt),
            last.yaw + min(max(turn, -limit), limit),
        ).limited()
        self._time = t
        return self.last

    def _clamped(self, setpoint: Setpoint) -> Setpoint:
        c = self._config
        return Setpoint(
            self._fence.inner.nearest(setpoint.position),
            _shortened(setpoint.velocity, c.max_speed),
            _shortened(setpoint.acceleration, c.max_acceleration),
            setpoint.yaw,
        ).limited()


def _shortened(vector: Array, longest: float) -> Array:
    """The vector (3,), no longer than that. Clipped first: the square of a huge number overflows."""
    clipped = np.clip(vector, -1e6, 1e6)
    length = float(np.linalg.norm(clipped))
    return clipped if length <= longest else clipped * (longest / length)


def _step(last: Array, target: Array, longest: float) -> Array:
    """From last (3,) towards target (3,), no farther than that."""
    return (
        target
        if (gap := float(np.linalg.norm(target - last))) <= longest
        else (last + (target - last) * (longest / gap))
    )
