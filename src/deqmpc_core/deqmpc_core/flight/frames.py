"""Rotations and frames. World is ENU, body is x forward, y left, z up; quaternions are ROS order (x, y, z,
w), body to world.

Every function takes leading batch dimensions (...) and float64 arrays; angles are radians.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRAVITY = 9.81


def unit(quaternion: Array) -> Array:
    """(..., 4) scaled to length one with w >= 0, so each attitude has one quaternion."""
    scaled = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(scaled[..., 3:] < 0.0, -scaled, scaled)


def multiply(left: Array, right: Array) -> Array:
    """Hamilton product (..., 4): the rotation `right` followed by `left`."""
    ax, ay, az, aw = (left[..., i] for i in range(4))
    bx, by, bz, bw = (right[..., i] for i in range(4))
    x = aw * bx + ax * bw + ay * bz - az * by
    y = aw * by - ax * bz + ay * bw + az * bx
    z = aw * bz + ax * by - ay * bx + az * bw
    return np.stack([x, y, z, aw * bw - ax * bx - ay * by - az * bz], axis=-1)


def conjugate(quaternion: Array) -> Array:
    """The inverse rotation (..., 4) of a unit quaternion."""
    return quaternion * np.array([-1.0, -1.0, -1.0, 1.0])


def quaternion_from_rotation_vector(vector: Array) -> Array:
    """exp: rotation vector (..., 3) [rad] to a unit quaternion (..., 4)."""
    half = 0.5 * np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.concatenate([0.5 * np.sinc(half / np.pi) * vector, np.cos(half)], axis=-1)


def rotation_vector_from_quaternion(quaternion: Array) -> Array:
    """log: unit quaternion (..., 4) to the rotation vector (..., 3) of at most pi."""
    short = np.where(quaternion[..., 3:] < 0.0, -quaternion, quaternion)
    sine = np.linalg.norm(short[..., :3], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, short[..., 3:])
    return short[..., :3] * np.where(sine > 1e-12, angle / np.maximum(sine, 1e-12), 2.0)


def matrix_from_quaternion(quaternion: Array) -> Array:
    """Rotation matrix (..., 3, 3), body to world, of a unit quaternion (..., 4)."""
    x, y, z, w = (quaternion[..., i] for i in range(4))
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def mrp_from_quaternion(quaternion: Array) -> Array:
    """Modified Rodrigues parameters (..., 3) of the short set, |p| <= 1."""
    short = np.where(quaternion[..., 3:] < 0.0, -quaternion, quaternion)
    return short[..., :3] / (1.0 + short[..., 3:])


def quaternion_from_mrp(mrp: Array) -> Array:
    """Unit quaternion (..., 4) with w >= 0 of modified Rodrigues parameters (..., 3) of either set."""
    square = np.sum(mrp * mrp, axis=-1, keepdims=True)
    full = np.concatenate([2.0 * mrp, 1.0 - square], axis=-1) / (1.0 + square)
    return np.where(full[..., 3:] < 0.0, -full, full)


def yaw_from_quaternion(quaternion: Array) -> Array:
    """Heading (...) of the body x axis over the world's horizontal plane, counter-clockwise from east."""
    x, y, z, w = (quaternion[..., i] for i in range(4))
    return np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z))


def quaternion_from_yaw(yaw: float) -> Array:
    """Level attitude (4,) with the given heading."""
    return np.array([0.0, 0.0, np.sin(0.5 * yaw), np.cos(0.5 * yaw)])


def task_from_world(
    position: Array, quaternion: Array, velocity: Array, omega: Array, origin: Array
) -> Array:
    """Task state (..., 12) = [position - origin, short MRP, BODY velocity, body rate] of world quantities.

    position, origin [m] and velocity [m/s] are in the world frame; omega [rad/s] is in the body frame.
    """
    body_velocity = np.einsum("...ji,...j->...i", matrix_from_quaternion(quaternion), velocity)
    return np.concatenate([position - origin, mrp_from_quaternion(quaternion), body_velocity, omega], axis=-1)


def world_from_task(state: Array, origin: Array) -> tuple[Array, Array, Array, Array]:
    """Inverse of task_from_world: position (..., 3), quaternion (..., 4), world velocity (..., 3), body
    rate (..., 3)."""
    quaternion = quaternion_from_mrp(state[..., 3:6])
    velocity = np.einsum("...ij,...j->...i", matrix_from_quaternion(quaternion), state[..., 6:9])
    return state[..., :3] + origin, quaternion, velocity, state[..., 9:12]
