"""A quadrotor with attitude as modified Rodrigues parameters (MRP), and its Crazyflie 2.1 numbers.

State [r world (3) m, p MRP (3), v body (3) m/s, omega body (3) rad/s]; frames x forward, y left, z up.
Control: four motor commands u; thrust f_i = thrust_gain u_i + thrust_offset [N]; yaw moment yaw_gain u_i [N
m].
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from deqmpc_core.systems.system import System

_STATES = ("rx", "ry", "rz", "px", "py", "pz", "vx", "vy", "vz", "wx", "wy", "wz")
_MOTOR_X = (1, 1, -1, -1)
_MOTOR_Y = (1, -1, -1, 1)
_YAW_SIGN = (1, -1, 1, -1)


def mrp_rotation(p: sympy.Matrix) -> sympy.Matrix:
    """Body-to-world rotation matrix of an MRP: I + (8 [p]x^2 + 4 (1 - |p|^2) [p]x) / (1 + |p|^2)^2."""
    square = p.dot(p)
    cross = skew(p)
    return sympy.eye(3) + (8 * cross * cross + 4 * (1 - square) * cross) / (1 + square) ** 2


def skew(vector: sympy.Matrix) -> sympy.Matrix:
    """[a]x, the matrix of the cross product."""
    a: Any = vector
    return sympy.Matrix([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])


def mrp_rate(p: sympy.Matrix, omega: sympy.Matrix) -> sympy.Matrix:
    """pdot = 1/4 [(1 - |p|^2) I + 2 [p]x + 2 p p^T] omega."""
    square = p.dot(p)
    return (((1 - square) * sympy.eye(3) + 2 * skew(p) + 2 * p * p.T) * omega) / 4


def thrusts(u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]) -> list[Any]:
    """Thrust [N] of each of the four rotors."""
    return [k["thrust_gain"] * ui + k["thrust_offset"] for ui in u]


def dynamics(
    x: Sequence[sympy.Symbol], u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]
) -> list[Any]:
    """Rigid body with four rotors (symbolic xdot)."""
    p, v, omega = (sympy.Matrix(x[i : i + 3]) for i in (3, 6, 9))
    thrust = thrusts(u, k)
    lever = k["arm"] / sympy.sqrt(2).evalf()
    moment = sympy.Matrix(
        [
            lever * sum(s * f for s, f in zip(_MOTOR_Y, thrust, strict=True)),
            -lever * sum(s * f for s, f in zip(_MOTOR_X, thrust, strict=True)),
            k["yaw_gain"] * sum(s * ui for s, ui in zip(_YAW_SIGN, u, strict=True)),
        ]
    )
    inertia = sympy.Matrix([[k["jxx"], k["jxy"], 0], [k["jxy"], k["jyy"], 0], [0, 0, k["jzz"]]])
    rotation = mrp_rotation(p)
    gravity = rotation.T * sympy.Matrix([0, 0, -k["gravity"]])
    vdot = sympy.Matrix([0, 0, sum(thrust) / k["mass"]]) + gravity - omega.cross(v)
    omegadot = _inverse_times(k, moment - omega.cross(inertia * omega))
    return [*(rotation * v), *mrp_rate(p, omega), *vdot, *omegadot]


def _inverse_times(k: Mapping[str, sympy.Symbol], rhs: sympy.Matrix) -> list[Any]:
    """J^-1 rhs for J with one off-diagonal pair, written out."""
    determinant = k["jxx"] * k["jyy"] - k["jxy"] ** 2
    return [
        (k["jyy"] * rhs[0] - k["jxy"] * rhs[1]) / determinant,
        (k["jxx"] * rhs[1] - k["jxy"] * rhs[0]) / determinant,
        rhs[2] / k["jzz"],
    ]


def _system(name: str, parameters: dict[str, float]) -> System:
    return System(name, _STATES, ("u1", "u2", "u3", "u4"), 6, parameters, dynamics, position=0, mrp=3)


quadrotor = _system("quadrotor", {
    "mass": 2.0, "jxx": 0.01566089, "jxy": 3.18037e-6, "jyy": 0.01562078, "jzz": 0.02226868, "arm": 0.28,
    "thrust_gain": 2.44101, "thrust_offset": -30.48576, "yaw_gain": 0.029958, "gravity": 9.81,
})  # fmt: skip
crazyflie = _system("crazyflie", {
    "mass": 0.032, "jxx": 1.66e-5, "jxy": 0.0, "jyy": 1.67e-5, "jzz": 2.93e-5, "arm": 0.046,
    "thrust_gain": 1.0, "thrust_offset": 0.0, "yaw_gain": 0.006, "gravity": 9.81,
})  # fmt: skip
