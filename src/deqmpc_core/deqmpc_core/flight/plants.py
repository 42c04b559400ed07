"""Robots other than the drone as motion capture sees them: rigid bodies by name, and the state's coordinates
in their poses.

World frame: z up. Planar robots move in the plane y = 0, a cart along x. A pole is a body of its own with its
origin at its centre of mass and its z axis along it; angles count from upright towards -x.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.flight.frames import (
    Array,
    conjugate,
    matrix_from_quaternion,
    mrp_from_quaternion,
    multiply,
    quaternion_from_mrp,
    quaternion_from_rotation_vector,
    rotation_vector_from_quaternion,
    unit,
)


class BodyPose(NamedTuple):
    """Position (3,) world [m] and attitude (4,) xyzw, body to world."""

    position: Array
    quaternion: Array


Poses = Mapping[str, BodyPose]
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
PLANTS = ("cartpole", "pendulum", "quadrotor", "quadrotor_pole")
"""Systems whose controls the policy node sends itself; the Crazyflie has a commander."""


class Plant(Protocol):
    """How a state x (n,) and poses belong together; q tangent coordinates, metres or radians."""

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names in /rigid_bodies."""
        ...

    @property
    def angular(self) -> tuple[bool, ...]:
        """Which of the q coordinates are angles."""
        ...

    def place(self, x: Array) -> dict[str, BodyPose]:
        """The bodies' poses."""
        ...

    def seen(self, poses: Poses) -> Array:
        """The state at rest (n,) in these poses."""
        ...

    def difference(self, x: Array, y: Array) -> Array:
        """The way (q,) from x to y, angles the short way round."""
        ...

    def rates(self, x: Array) -> Array:
        """Rates (q,) of the coordinates: world velocity, body rate, angles' rates."""
        ...

    def moved(self, x: Array, way: Array, gain: Array) -> Array:
        """x with its coordinates moved by `way` (q,) and their rates changed by `gain` (q,)."""
        ...


class _Planar:
    """Coordinates that are plain numbers before their rates: x = [q, qdot]."""

    bodies: tuple[str, ...]
    angular: tuple[bool, ...]

    def __init__(self, length: float) -> None:
        """length [m]: from the pivot to the pole's centre of mass."""
        self._length = length

    def difference(self, x: Array, y: Array) -> Array:
        """See Plant."""
        way = y[: len(self.angular)] - x[: len(self.angular)]
        return np.where(self.angular, np.arctan2(np.sin(way), np.cos(way)), way)

    def rates(self, x: Array) -> Array:
        """See Plant."""
        return x[len(self.angular) :].copy()

    def moved(self, x: Array, way: Array, gain: Array) -> Array:
        """See Plant."""
        return x + np.concatenate([way, gain])


class Pendulum(_Planar):
    """x = [theta, thetadot]; the pivot is the world's origin."""

    bodies: tuple[str, ...] = ("pole",)
    angular: tuple[bool, ...] = (True,)

    def place(self, x: Array) -> dict[str, BodyPose]:
        """See Plant."""
        return {"pole": _pole(np.zeros(3), float(x[0]), self._length)}

    def seen(self, poses: Poses) -> Array:
        """See Plant."""
        return np.array([_lean(poses["pole"].quaternion), 0.0])


class Cartpole(_Planar):
    """x = [x, theta, xdot, thetadot]; the cart's origin is the pole's pivot."""

    bodies: tuple[str, ...] = ("cart", "pole")
    angular: tuple[bool, ...] = (False, True)

    def place(self, x: Array) -> dict[str, BodyPose]:
        """See Plant."""
        cart = np.array([float(x[0]), 0.0, 0.0])
        return {"cart": BodyPose(cart, LEVEL), "pole": _pole(cart, float(x[1]), self._length)}

    def seen(self, poses: Poses) -> Array:
        """See Plant."""
        return np.array([poses["cart"].position[0], _lean(poses["pole"].quaternion), 0.0, 0.0])


class Quadrotor:
    """x = [r, MRP, v body, omega body], of origin (3,) world [m]."""

    bodies: tuple[str, ...] = ("quadrotor",)
    angular: tuple[bool, ...] = (False,) * 3 + (True,) * 3

    def __init__(self, origin: Array) -> None:
        self._origin = origin

    def place(self, x: Array) -> dict[str, BodyPose]:
        """See Plant."""
        return {"quadrotor": BodyPose(x[:3] + self._origin, quaternion_from_mrp(x[3:6]))}

    def seen(self, poses: Poses) -> Array:
        """See Plant."""
        body = poses["quadrotor"]
        attitude = mrp_from_quaternion(unit(body.quaternion))
        return np.concatenate([body.position - self._origin, attitude, np.zeros(6)])

    def difference(self, x: Array, y: Array) -> Array:
        """See Plant; the turn as a rotation vector in the body's frame."""
        turn = multiply(conjugate(quaternion_from_mrp(x[3:6])), quaternion_from_mrp(y[3:6]))
        return np.concatenate([y[:3] - x[:3], rotation_vector_from_quaternion(turn)])

    def rates(self, x: Array) -> Array:
        """See Plant."""
        return np.concatenate([_rotation(x) @ x[6:9], x[9:12]])

    def moved(self, x: Array, way: Array, gain: Array) -> Array:
        """See Plant; a turn leaves the velocity in the world as it is."""
        velocity = _rotation(x) @ x[6:9] + gain[:3]
        turn = quaternion_from_rotation_vector(way[3:6])
        mrp = mrp_from_quaternion(unit(multiply(quaternion_from_mrp(x[3:6]), turn)))
        body_velocity = matrix_from_quaternion(quaternion_from_mrp(mrp)).T @ velocity
        return np.concatenate([x[:3] + way[:3], mrp, body_velocity, x[9:12] + gain[3:6]])


class QuadrotorPole(Quadrotor):
    """x = [r, MRP, theta, v body, omega body, thetadot]; theta = 0 hanging, the pole swings in the world's xz
    plane."""

    bodies: tuple[str, ...] = ("quadrotor", "pole")
    angular: tuple[bool, ...] = (*Quadrotor.angular, True)

    def __init__(self, origin: Array, length: float) -> None:
        super().__init__(origin)
        self._length = length

    def place(self, x: Array) -> dict[str, BodyPose]:
        """See Plant."""
        pole = _pole(x[:3] + self._origin, math.pi - float(x[6]), self._length)
        return {**super().place(_body(x)), "pole": pole}

    def seen(self, poses: Poses) -> Array:
        """See Plant."""
        return _with_pole(super().seen(poses), math.pi - _lean(poses["pole"].quaternion), 0.0)

    def difference(self, x: Array, y: Array) -> Array:
        """See Plant."""
        return np.append(super().difference(_body(x), _body(y)), math.remainder(y[6] - x[6], 2.0 * math.pi))

    def rates(self, x: Array) -> Array:
        """See Plant."""
        return np.append(super().rates(_body(x)), x[13])

    def moved(self, x: Array, way: Array, gain: Array) -> Array:
        """See Plant."""
        return _with_pole(super().moved(_body(x), way[:6], gain[:6]), x[6] + way[6], x[13] + gain[6])


def plant_of(system: str, parameters: Mapping[str, float], origin: Array) -> Plant:
    """The plant of a robot by its system's name and parameters; origin (3,): of the task's frame in the
    world [m]. Raises UnknownNameError where motion capture does not know it."""
    match system:
        case "pendulum":
            return Pendulum(parameters["length"])
        case "cartpole":
            return Cartpole(parameters["length"])
        case "quadrotor":
            return Quadrotor(origin)
        case "quadrotor_pole":
            return QuadrotorPole(origin, parameters["pole_length"])
    raise UnknownNameError("robot with bodies in motion capture", system, PLANTS)


def sphere_name(number: int) -> str:
    """The body's name of a moving sphere, counted from 0."""
    return f"sphere_{number:02d}"


def sphere_centers(poses: Poses, count: int) -> Array | None:
    """Centres (count, 3) world [m] of the moving spheres, None unless all are in view and finite."""
    names = [sphere_name(k) for k in range(count)]
    if not count or any(name not in poses for name in names):
        return None
    centers = np.array([poses[name].position for name in names])
    return centers if np.isfinite(centers).all() else None


def _pole(pivot: Array, lean: float, length: float) -> BodyPose:
    reach = np.array([-math.sin(lean), 0.0, math.cos(lean)])
    about_y = np.array([0.0, math.sin(-0.5 * lean), 0.0, math.cos(0.5 * lean)])
    return BodyPose(pivot + length * reach, about_y)


def _lean(quaternion: Array) -> float:
    """Angle [rad] of the body's z axis from upright towards -x, in (-pi, pi]."""
    axis = matrix_from_quaternion(unit(quaternion))[:, 2]
    return math.atan2(-axis[0], axis[2])


def _rotation(x: Array) -> Array:
    return matrix_from_quaternion(quaternion_from_mrp(x[3:6]))


def _body(x: Array) -> Array:
    return np.concatenate([x[:6], x[7:13]])


def _with_pole(body: Array, angle: float, rate: float) -> Array:
    return np.concatenate([body[:6], [angle], body[6:], [rate]])
