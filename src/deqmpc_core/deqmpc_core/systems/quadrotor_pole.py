"""A quadrotor with a pole hinged at its centre of mass, one planar angle.

State [r world (3) m, p MRP (3), theta rad, v body (3) m/s, omega body (3) rad/s, thetadot rad/s]; theta = 0
hanging, pi upright. Control: four motor commands as deviation from hover. The pole adds mass but no reaction
torque.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from deqmpc_core.systems.quadrotor import dynamics as rigid_body
from deqmpc_core.systems.quadrotor import mrp_rotation, thrusts
from deqmpc_core.systems.system import System

_STATES = (
    "rx", "ry", "rz", "px", "py", "pz", "theta", "vx", "vy", "vz", "wx", "wy", "wz", "thetadot",
)  # fmt: skip
_POLE, _POLE_RATE = 6, 13


def dynamics(
    x: Sequence[sympy.Symbol], u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]
) -> list[Any]:
    """The rigid body, and thetaddot = (-g sin theta + a_x cos theta) / L (symbolic xdot)."""
    theta, rate = x[_POLE], x[_POLE_RATE]
    body = rigid_body([*x[:_POLE], *x[_POLE + 1 : _POLE_RATE]], u, k)
    pull = pivot_acceleration(x, u, k) * sympy.cos(theta) - k["gravity"] * sympy.sin(theta)
    return [*body[:6], rate, *body[6:], pull / k["pole_length"]]


def pivot_acceleration(
    x: Sequence[sympy.Symbol], u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]
) -> Any:
    """a_x [m/s^2], the pivot's acceleration along world x.

    d/dt (R v) = R (vdot + omega x v): with the body's omega x v term kept, it and gravity's R^T cancel, and
    a_x is the thrust's world x component over the mass.
    """
    return mrp_rotation(sympy.Matrix(x[3:6]))[0, 2] * sum(thrusts(u, k)) / k["mass"]


quadrotor_pole = System(
    "quadrotor_pole", _STATES, ("u1", "u2", "u3", "u4"), 7,
    {
        "mass": 2.1, "jxx": 0.0023, "jxy": 0.0, "jyy": 0.0023, "jzz": 0.004, "arm": 0.175,
        "thrust_gain": 10.0, "thrust_offset": 5.15025, "yaw_gain": 0.25, "gravity": 9.81, "pole_length": 0.5,
    },
    dynamics, position=0, mrp=3, angles=(_POLE,),
)  # fmt: skip
"""mass counts the pole (0.1 kg); yaw_gain = 0.025 N m per newton of thrust times thrust_gain: the offset
cancels."""
