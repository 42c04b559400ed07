"""The on-board estimate: IMU propagation at 500 Hz, corrected by external poses; it drifts when they stop.

A reduction of the firmware's Kalman filter with its noise figures: position and velocity share one 2x2
covariance a axis, attitude error has a scalar one. As on board, a pose counts for the moment it arrives:
latency is not undone.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_core.jit import compiled
from deqmpc_sim.firmware.truth import GRAVITY, STEP, Array

POSITION, VELOCITY, QUATERNION, COVARIANCE = slice(0, 3), slice(3, 6), slice(6, 10), slice(10, 14)
SIZE = 14
POSITION_VARIANCE = 1e-3**2
"""locSrv.extPosStdDev of Crazyswarm2's configuration, squared [m^2]."""
ATTITUDE_VARIANCE = 0.05**2
"""locSrv.extQuatStdDev, squared [rad^2]."""
ACCELERATION_DENSITY = 0.5**2 * 0.01
"""0.5 m/s^2 of process noise a 10 ms prediction, as a density [m^2/s^3]."""
RATE_DENSITY = 0.1**2 * 0.01
"""0.1 rad/s of gyro noise a 10 ms prediction, as a density [rad^2/s]."""


@compiled
def _rotate(q: Array, turn: tuple[float, float, float]) -> None:
    """q <- q * exp(turn): quaternion (4,) w x y z, turn (3,) a rotation vector in the body frame [rad]."""
    half = 0.5 * math.sqrt(turn[0] * turn[0] + turn[1] * turn[1] + turn[2] * turn[2])
    s = 0.5 if half < 1e-9 else 0.5 * math.sin(half) / half
    c, a, b, d = math.cos(half), s * turn[0], s * turn[1], s * turn[2]
    w, x, y, z = q[0], q[1], q[2], q[3]
    q[0] = w * c - x * a - y * b - z * d
    q[1] = w * a + x * c + y * d - z * b
    q[2] = w * b - x * d + y * c + z * a
    q[3] = w * d + x * b - y * a + z * c
    scale = 1.0 / math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    for i in range(4):
        q[i] *= scale


@compiled
def _propagate(state: Array, gyro: Array, accelerometer: Array) -> None:
    """One 2 ms prediction of state (14,) from an IMU sample."""
    w, x, y, z = state[6], state[7], state[8], state[9]
    f, g, h = accelerometer[0], accelerometer[1], accelerometer[2]
    acceleration = (
        (1 - 2 * (y * y + z * z)) * f + 2 * (x * y - w * z) * g + 2 * (x * z + w * y) * h,
        2 * (x * y + w * z) * f + (1 - 2 * (x * x + z * z)) * g + 2 * (y * z - w * x) * h,
        2 * (x * z - w * y) * f + 2 * (y * z + w * x) * g + (1 - 2 * (x * x + y * y)) * h - GRAVITY,
    )
    for i in range(3):
        state[i] += STEP * state[3 + i] + 0.5 * STEP * STEP * acceleration[i]
        state[3 + i] += STEP * acceleration[i]
    _rotate(state[6:10], (STEP * gyro[0], STEP * gyro[1], STEP * gyro[2]))
    state[10] += STEP * (2.0 * state[11] + STEP * state[12])
    state[11] += STEP * state[12]
    state[12] += STEP * ACCELERATION_DENSITY
    state[13] += STEP * RATE_DENSITY


@compiled
def _correct_position(state: Array, position: Array) -> None:
    """Kalman correction of position and velocity by position (3,)."""
    spread = state[10] + POSITION_VARIANCE
    gain, slope = state[10] / spread, state[11] / spread
    for i in range(3):
        innovation = position[i] - state[i]
        state[i] += gain * innovation
        state[3 + i] += slope * innovation
    state[12] -= slope * state[11]
    state[11] *= 1.0 - gain
    state[10] *= 1.0 - gain


@compiled
def _correct_attitude(state: Array, q: Array) -> None:
    """Turn the attitude towards q (4,) x y z w, of unit norm, by its share of the error."""
    gain = state[13] / (state[13] + ATTITUDE_VARIANCE)
    w, x, y, z = state[6], -state[7], -state[8], -state[9]
    cosine = w * q[3] - x * q[0] - y * q[1] - z * q[2]
    two = 2.0 * gain * (1.0 if cosine >= 0.0 else -1.0)
    turn = (
        two * (w * q[0] + x * q[3] + y * q[2] - z * q[1]),
        two * (w * q[1] - x * q[2] + y * q[3] + z * q[0]),
        two * (w * q[2] + x * q[1] - y * q[0] + z * q[3]),
    )
    _rotate(state[6:10], turn)
    state[13] *= 1.0 - gain


class OnboardEstimator:
    """state (14,): position, velocity (world), quaternion w x y z, covariances (pp, pv, vv, attitude)."""

    def __init__(self) -> None:
        """Starts at the world's origin, level, and knows nothing of where it is."""
        self.state: Array = np.zeros(SIZE)
        self.state[6] = 1.0
        self.state[COVARIANCE] = (100.0**2, 0.0, 1e-4, 0.5**2)

    def propagate(self, gyro: Array, accelerometer: Array) -> None:
        """Predict 2 ms ahead: gyro (3,) [rad/s], accelerometer (3,) specific force [m/s^2], both body."""
        _propagate(self.state, gyro, accelerometer)

    def external_pose(self, position: ArrayLike, quaternion: ArrayLike) -> bool:
        """Correct by a pose: position (3,) world [m], quaternion (4,) x y z w. A quaternion that is not
        finite leaves a position-only correction; returns False where the position itself cannot be used.
        """
        p = np.asarray(position, dtype=np.float64)
        q = np.asarray(quaternion, dtype=np.float64)
        if not np.isfinite(p).all():
            return False
        _correct_position(self.state, p)
        norm = float(np.linalg.norm(q))
        if math.isfinite(norm) and norm > 1e-6:
            _correct_attitude(self.state, q / norm)
        return True

    @property
    def yaw(self) -> float:
        """Heading [rad]."""
        w, x, y, z = self.state[QUATERNION]
        return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
