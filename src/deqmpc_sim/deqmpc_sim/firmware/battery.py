"""The battery: charge drains with the motors' work, the voltage sags under their current.

A typical single-cell lithium polymer of 250 mAh: seven minutes of hover. The motors' thrust does not depend
on the voltage here (truth.thrust_scale is the way to try that); what drains is what /<robot>/status tells.
"""

import numpy as np

from deqmpc_sim.firmware.truth import Array

SHARE = (0.0, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)
VOLTAGE = (3.0, 3.45, 3.65, 3.75, 3.85, 4.0, 4.18)
"""Open-circuit voltage [V] at shares of the full charge."""
RESISTANCE = 0.12
"""Of cell and leads [ohm]."""
IDLE_CURRENT = 0.15
CURRENT_PER_THRUST = 21.5
"""Amperes per newton to the power 3/2: about 2 A at hover."""
LOW_VOLTAGE, LOW_AFTER = 3.2, 5.0
"""The firmware tells "low power" after the voltage has been below the first for the second [s]."""
PM_BATTERY, PM_LOW_POWER = 0, 3
"""crazyflie_interfaces/Status.pm_state."""


class Battery:
    """drain() at any rate; voltage and pm_state are what the firmware measures."""

    def __init__(self, capacity: float, charge: float) -> None:
        """capacity [mAh]; charge: share of it that is there at the start."""
        self._full = 3.6 * capacity
        self.charge = charge
        """Share of the full charge left; may be set."""
        self.voltage = self._open_voltage()
        """Under load [V]."""
        self._low_for = 0.0

    def drain(self, thrust: Array, seconds: float) -> None:
        """Motors with thrust (4,) [N] have run for so long."""
        current = IDLE_CURRENT + CURRENT_PER_THRUST * float(np.sum(np.maximum(thrust, 0.0) ** 1.5))
        self.charge = max(0.0, self.charge - current * seconds / self._full)
        self.voltage = self._open_voltage() - RESISTANCE * current
        self._low_for = self._low_for + seconds if self.voltage < LOW_VOLTAGE else 0.0

    @property
    def pm_state(self) -> int:
        """Status.PM_STATE_BATTERY or PM_STATE_LOW_POWER."""
        return PM_LOW_POWER if self._low_for > LOW_AFTER else PM_BATTERY

    def _open_voltage(self) -> float:
        return float(np.interp(self.charge, SHARE, VOLTAGE))
