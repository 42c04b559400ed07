"""A pole hinged on a cart that a force pushes along a rail, no friction.

State [x m, theta rad, xdot m/s, thetadot rad/s], theta = 0 upright; the pole's centre of mass stands at
(x - l sin theta, l cos theta). Control: force on the cart [N].
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sympy

from deqmpc_core.systems.system import System


def dynamics(
    x: Sequence[sympy.Symbol], u: Sequence[sympy.Symbol], k: Mapping[str, sympy.Symbol]
) -> list[Any]:
    """M(q) qddot + [m l s thetadot^2, -m g l s] = [u, 0], M = [[M + m, -m l c], [-m l c, I + m l^2]]."""
    _, theta, cart_rate, rate = x
    s, c = sympy.sin(theta), sympy.cos(theta)
    moment = k["pole_mass"] * k["length"]  # m l
    total, coupling = k["cart_mass"] + k["pole_mass"], -moment * c
    about_pivot = k["pole_inertia"] + moment * k["length"]
    force = u[0] - moment * s * rate**2
    torque = moment * k["gravity"] * s
    determinant = total * about_pivot - coupling**2
    return [
        cart_rate,
        rate,
        (about_pivot * force - coupling * torque) / determinant,
        (total * torque - coupling * force) / determinant,
    ]


cartpole = System(
    "cartpole", ("x", "theta", "xdot", "thetadot"), ("force",), 2,
    {"cart_mass": 10.0, "pole_mass": 1.0, "length": 1.0, "pole_inertia": 1.0, "gravity": 9.81},
    dynamics, angles=(1,),
)  # fmt: skip
