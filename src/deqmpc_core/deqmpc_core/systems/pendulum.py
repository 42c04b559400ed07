"""A torque-driven pendulum: point mass on a massless rod, no friction.

State [theta rad, thetadot rad/s], theta = 0 upright, counter-clockwise positive. Control: torque [N m].
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from deqmpc_core.systems.system import System


def dynamics(
    x: Sequence[sympy.Symbol], u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]
) -> list[Any]:
    """thetaddot = (u + m g l sin theta) / (m l^2) (symbolic xdot)."""
    theta, rate = x
    weight_moment = k["mass"] * k["gravity"] * k["length"] * sympy.sin(theta)
    return [rate, (u[0] + weight_moment) / (k["mass"] * k["length"] ** 2)]


pendulum = System(
    "pendulum", ("theta", "thetadot"), ("torque",), 1, {"mass": 1.0, "length": 1.0, "gravity": 10.0},
    dynamics, angles=(0,),
)  # fmt: skip
