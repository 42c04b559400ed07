"""State of the drone from motion-capture poses. Position, velocity and acceleration: a Kalman filter driven
by jerk, in which the measured attitude tells the horizontal acceleration (rotors push along the body's z
axis only). Attitude and body rate: an error-state Kalman filter. Deterministic; time comes with the
samples."""

from dataclasses import dataclass

import numpy as np

from deqmpc_core.flight.frames import (
    GRAVITY,
    Array,
    conjugate,
    matrix_from_quaternion,
    multiply,
    quaternion_from_rotation_vector,
    rotation_vector_from_quaternion,
    unit,
)
from deqmpc_core.flight.pose_gate import PoseGate


@dataclass(frozen=True)
class PoseSample:
    """One motion-capture pose: capture time [s], frame counter, position (3,) world [m], quaternion (4,)
    xyzw."""

    stamp: float
    frame_number: int
    position: Array
    quaternion: Array


@dataclass(frozen=True)
class Estimate:
    """The state predicted to `stamp` [s]: world position, velocity and acceleration (3,), attitude (4,)
    xyzw, body rate (3,).

    frame_number is that of the newest sample used; age [s] is stamp minus that sample's capture time.
    """

    stamp: float
    frame_number: int
    position: Array
    quaternion: Array
    velocity: Array
    omega: Array
    acceleration: Array
    age: float


@dataclass(frozen=True)
class EstimatorConfig:
    """Noise of the sensor and agility of the drone; the Kalman gains follow from them.

    position_noise [m], angle_noise [rad]: standard deviation of a sample per axis. jerk [m/s^3/sqrt(Hz)],
    angular_acceleration [rad/s^2/sqrt(Hz)]: root of the spectral density that drives the models. tilt_noise
    [m/s^2]: how far the acceleration may be from what the tilt says (drag, attitude noise).
    acceleration_memory [s]: time constant with which the estimated acceleration fades. max_gap [s]: a
    longer silence restarts the filter; max_prediction [s]: estimates reach no farther past the last sample.
    max_position [m]: positions beyond it are refused (the firmware's own bound). max_stale: after so many
    samples in a row that are older than the newest, the sender's clock is taken to have stepped back and
    the filter restarts. A sample is refused as a jump when it is farther from the prediction than
    jump_distance [m] + jump_speed [m/s] times the time since anything was heard, or turned by more than
    jump_angle [rad] + jump_rate [rad/s] times it; after jump_memory [s] of nothing else it is believed. A
    sample equal to the one before to the last bit is refused unless frozen_poses allows it.
    """

    position_noise: float = 1e-3
    angle_noise: float = 3.5e-3
    jerk: float = 2.0
    angular_acceleration: float = 3.0
    tilt_noise: float = 0.4
    acceleration_memory: float = 0.5
    max_gap: float = 0.5
    max_prediction: float = 0.2
    max_position: float = 100.0
    unit_tolerance: float = 0.05
    max_stale: int = 20
    jump_distance: float = 0.3
    jump_speed: float = 2.0
    jump_angle: float = 1.0
    jump_rate: float = 5.0
    jump_memory: float = 1.0
    frozen_poses: bool = False


class StateEstimator:
    """Feed poses with update(); ask for the state at a time with estimate()."""

    def __init__(self, config: EstimatorConfig | None = None) -> None:
        self.config = config or EstimatorConfig()
        self._gate = PoseGate(self.config)
        self.reset()

    @property
    def complaint(self) -> str:
        """Why the last sample was refused, in words; empty when it was taken."""
        return self._gate.complaint

    def reset(self) -> None:
        """Forget every sample."""
        self._gate.forget()
        self._stamp: float | None = None
        self._frame_number = 0
        self._stale = 0
        self._motion = np.zeros((3, 3))
        self._horizontal = self._vertical = np.zeros((3, 3))
        self._quaternion = np.array([0.0, 0.0, 0.0, 1.0])
        self._omega = np.zeros(3)
        self._spin_covariance = np.zeros((2, 2))

    def update(self, sample: PoseSample) -> bool:
        """Take one sample; False means refused: not finite, not a unit quaternion, out of bounds, not newer,
        frozen or a jump. `complaint` says which."""
        if not self._gate.sound(sample) or not self._newer(sample.stamp):
            return False
        if self._gate.frozen(sample) and not self.config.frozen_poses:
            return False
        quaternion = unit(np.asarray(sample.quaternion, dtype=float))
        position = np.asarray(sample.position, dtype=float)
        if self._stamp is None or self._gate.silent(sample.stamp):
            self._restart(position, quaternion)
        elif self._contradicts(sample):
            return False
        else:
            self._predict(sample.stamp - self._stamp)
            self._correct_motion(position)
            self._correct_spin(quaternion)
            self._correct_tilt()
        self._stamp, self._frame_number = float(sample.stamp), int(sample.frame_number)
        self._gate.take(self._stamp)
        return True

    def _contradicts(self, sample: PoseSample) -> bool:
        seen = self.estimate(sample.stamp)
        return seen is not None and self._gate.jumped(sample, seen.position, seen.quaternion)

    def age(self, t: float) -> float:
        """Seconds from the capture of the newest sample to t; infinite before the first."""
        return np.inf if self._stamp is None else t - self._stamp

    def estimate(self, t: float) -> Estimate | None:
        """The state at time t [s], or None before the first sample. Past max_prediction the state stands
        still."""
        if self._stamp is None:
            return None
        age = self.age(t)
        ahead = min(max(age, 0.0), self.config.max_prediction)
        position, velocity, acceleration = self._transition(ahead) @ self._motion
        quaternion = unit(multiply(self._quaternion, quaternion_from_rotation_vector(ahead * self._omega)))
        return Estimate(
            t, self._frame_number, position, quaternion, velocity, self._omega.copy(), acceleration, age
        )

    def _newer(self, stamp: float) -> bool:
        if self._stamp is None or stamp > self._stamp:
            self._stale = 0
            return True
        self._stale += 1
        self._gate.complaint = "the pose is not newer than the one before"
        if self._stale >= self.config.max_stale:
            self.reset()
        return False

    def _restart(self, position: Array, quaternion: Array) -> None:
        """Begin at rest at the sample, unsure of everything but the pose."""
        c = self.config
        self._motion = np.stack([position, np.zeros(3), np.zeros(3)])
        self._horizontal = self._vertical = np.diag([c.position_noise**2, 1.0, 4.0])
        self._quaternion, self._omega = quaternion, np.zeros(3)
        self._spin_covariance = np.diag([c.angle_noise**2, 4.0])

    def _transition(self, dt: float) -> Array:
        """(3, 3) map of (position, velocity, acceleration) over dt when the acceleration fades
        exponentially."""
        memory = self.config.acceleration_memory
        fade = np.exp(-dt / memory)
        gained = memory * (1.0 - fade)
        return np.array([[1.0, dt, memory * (dt - gained)], [0.0, 1.0, gained], [0.0, 0.0, fade]])

    def _predict(self, dt: float) -> None:
        c = self.config
        step = self._transition(dt)
        noise = np.array(
            [
                [dt**5 / 20, dt**4 / 8, dt**3 / 6],
                [dt**4 / 8, dt**3 / 3, dt**2 / 2],
                [dt**3 / 6, dt**2 / 2, dt],
            ]
        )
        self._motion = step @ self._motion
        self._horizontal = step @ self._horizontal @ step.T + c.jerk**2 * noise
        self._vertical = step @ self._vertical @ step.T + c.jerk**2 * noise
        turn = np.array([[1.0, dt], [0.0, 1.0]])
        drive = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        self._quaternion = multiply(self._quaternion, quaternion_from_rotation_vector(dt * self._omega))
        self._spin_covariance = turn @ self._spin_covariance @ turn.T + c.angular_acceleration**2 * drive

    def _correct_motion(self, position: Array) -> None:
        noise = self.config.position_noise
        level, self._horizontal = _gain(self._horizontal, 0, noise)
        upright, self._vertical = _gain(self._vertical, 0, noise)
        self._motion = self._motion + np.stack([level, level, upright], axis=1) * (position - self._motion[0])

    def _correct_tilt(self) -> None:
        """The force of the rotors lies along body z: the vertical force and the tilt give the horizontal
        acceleration."""
        thrust_axis = matrix_from_quaternion(self._quaternion)[:, 2]
        if thrust_axis[2] < 0.3:
            return
        told = (self._motion[2, 2] + GRAVITY) * thrust_axis[:2] / thrust_axis[2]
        gain, self._horizontal = _gain(self._horizontal, 2, self.config.tilt_noise)
        self._motion[:, :2] += np.outer(gain, told - self._motion[2, :2])

    def _correct_spin(self, quaternion: Array) -> None:
        gain, self._spin_covariance = _gain(self._spin_covariance, 0, self.config.angle_noise)
        error = rotation_vector_from_quaternion(multiply(conjugate(self._quaternion), quaternion))
        self._quaternion = unit(multiply(self._quaternion, quaternion_from_rotation_vector(gain[0] * error)))
        self._omega = self._omega + gain[1] * error


def _gain(covariance: Array, measured: int, noise: float) -> tuple[Array, Array]:
    """Kalman gain (n,) and posterior (n, n) when state number `measured` is seen with the standard
    deviation `noise`.

    Axes share a covariance, so the gain is a vector (Joseph form keeps the posterior positive).
    """
    gain = covariance[:, measured] / (covariance[measured, measured] + noise**2)
    keep = np.eye(len(gain))
    keep[:, measured] -= gain
    return gain, keep @ covariance @ keep.T + noise**2 * np.outer(gain, gain)
