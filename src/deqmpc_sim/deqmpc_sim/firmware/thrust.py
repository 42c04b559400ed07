"""Legacy PWM to thrust of one motor and back: Foerster's identified curve, scaled to hover on the firmware's
own numbers.

The curve puts a 32 g vehicle's hover 1.3 % off massThrust m g, the Mellinger controller's feed-forward; the
scale removes that difference, as tuning ctrlMel.massThrust to a vehicle does in a laboratory.
"""

import math

from deqmpc_core.jit import compiled
from deqmpc_sim.firmware.truth import GRAVITY

PWM_MAX = 65535.0
THRUST_MAX = 0.14
MASS_THRUST = 132000.0
NOMINAL_MASS = 0.032
QUADRATIC, LINEAR, CONSTANT = 2.130295e-11, 1.032633e-6, 5.484560e-4


def _scale() -> float:
    """Factor on the curve [-] with which massThrust m g hovers the nominal mass."""
    hover = MASS_THRUST * NOMINAL_MASS * GRAVITY
    return 0.25 * NOMINAL_MASS * GRAVITY / ((QUADRATIC * hover + LINEAR) * hover + CONSTANT)


SCALE = _scale()


@compiled
def thrust_of_pwm(pwm: float) -> float:
    """Steady thrust [N] of one motor at a legacy PWM of 0..65535; 0 when off, at most THRUST_MAX."""
    if pwm <= 0.0:
        return 0.0
    return min(THRUST_MAX, SCALE * ((QUADRATIC * pwm + LINEAR) * pwm + CONSTANT))


def pwm_of_thrust(thrust: float) -> float:
    """Inverse of thrust_of_pwm below saturation; 0 for less than the curve's smallest thrust."""
    c = CONSTANT - min(thrust, THRUST_MAX) / SCALE
    if c >= 0.0:
        return 0.0
    return (-LINEAR + math.sqrt(LINEAR * LINEAR - 4.0 * QUADRATIC * c)) / (2.0 * QUADRATIC)
