"""The robot's own estimate, as it sends it down, held against motion capture."""

import math

import numpy as np

from deqmpc_core.flight.configuration import SafetyConfig
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import Array, conjugate, multiply, rotation_vector_from_quaternion, unit

REMEDY = "does motion capture reach the robot (/poses, name of the body, frame)?"


class OwnPose:
    """A robot that motion capture does not reach drifts while poses look well from here; only its own word
    tells."""

    def __init__(self, config: SafetyConfig) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Another robot or flight: nothing is known."""
        self._heard = self._apart_since = -math.inf
        self._distance = self._angle = 0.0
        self._apart = False

    def on_pose(self, position: Array, quaternion: Array, seen: Estimate | None, t: float) -> None:
        """Take the robot's pose (3,) world [m], (4,) xyzw, that came at t [s] while motion capture saw
        `seen`. One that is no pose, or that nothing fresh can be compared with, tells nothing."""
        values = np.concatenate([position, quaternion])
        if not np.all(np.isfinite(values)) or np.max(np.abs(values)) > 1e6 or not np.any(quaternion):
            return
        if seen is None or seen.age > self._config.pose_late:
            return
        self._heard = t
        self._distance = float(np.linalg.norm(position - seen.position))
        turn = multiply(conjugate(seen.quaternion), unit(quaternion))
        self._angle = float(np.linalg.norm(rotation_vector_from_quaternion(turn)))
        apart = self._distance > self._config.own_pose_astray
        if apart and not self._apart:
            self._apart_since = t
        self._apart = apart

    def objection(self, t: float) -> str:
        """Why the robot's estimate does not allow a take-off at t [s], in words; empty when it does, or is
        neither there nor asked for."""
        c = self._config
        if t - self._heard > c.own_pose_timeout:
            return self._unknown() if c.require_own_pose else ""
        if self._distance > c.own_pose_distance:
            apart = f"{self._distance:.2f} m from motion capture's (limit {c.own_pose_distance:.2f} m)"
        elif self._angle > c.own_pose_angle:
            apart = f"{self._angle:.2f} rad from motion capture's (limit {c.own_pose_angle:.2f} rad)"
        else:
            return ""
        return f"the robot's own pose is {apart}: {REMEDY}"

    def _unknown(self) -> str:
        return (
            "the robot's own pose is not heard: log its topic `pose` by the server (crazyflies.yaml), "
            "or set require_own_pose to false"
        )

    def astray(self) -> str:
        """Why the robot's estimate ends the flight, in words; empty while it does not. Silence is no reason:
        the log may be lost while the robot flies well."""
        c = self._config
        if not self._apart or self._heard - self._apart_since < c.own_pose_astray_time:
            return ""
        return (
            f"the robot's own pose has been {self._distance:.2f} m from motion capture's "
            f"(limit {c.own_pose_astray:.2f} m for {c.own_pose_astray_time:.1f} s)"
        )
