"""What is true about the simulated robot and its sensors, and where their randomness comes from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import ConfigError

GRAVITY = 9.81
STEPS_PER_SECOND = 500
STEP = 1.0 / STEPS_PER_SECOND
Array = NDArray[np.float64]
Seed = int | Sequence[int]


class TrueState(NamedTuple):
    """The robot as it is: position (3,) world [m], quaternion (4,) x y z w body to world, velocity (3,) world
    [m/s], omega (3,) body [rad/s], and whether it touches the floor.
    """

    position: Array
    quaternion: Array
    velocity: Array
    omega: Array
    floor_contact: bool = False


class Stream(IntEnum):
    """One generator a noise source, so that adding draws to one leaves the others as they were.

    Not 0: NumPy's seeding ignores trailing zeros, and (seed, episode) alone draws the task's starts.
    """

    BODY = 1
    IMU = 2
    MOCAP = 3
    RADIO = 4
    REORDERING = 5


def generator(seed: Seed, stream: Stream) -> np.random.Generator:
    """The generator of one noise source; seed is a number or (seed, episode)."""
    numbers = [seed] if isinstance(seed, int) else list(seed)
    return np.random.default_rng([*numbers, int(stream)])


@dataclass(frozen=True)
class TruthConfig:
    """The simulated truth; it differs on purpose from the solver's model. SI units, radians."""

    mass: float = 0.032
    """Mass with markers [kg]."""
    controller_mass: float = 0.032
    """ctrlMel.mass, what the on-board controller believes [kg]."""
    inertia: tuple[float, float, float] = (1.66e-5, 1.67e-5, 2.93e-5)
    """Nominal principal moments [kg m^2]."""
    inertia_spread: float = 0.10
    """Each moment is scaled by a factor drawn uniformly from 1 -+ this, once a seed."""
    rotor_lag: float = 0.06
    """Time constant of a motor's thrust [s]."""
    rotor_inertia: float = 2.7e-8
    """Of one propeller and motor about its axis [kg m^2]; its acceleration turns the body about z."""
    drag: tuple[float, float, float] = (0.0135, 0.0135, 0.0168)
    """Linear drag along the body axes [N s/m]."""
    thrust_scale: float = 1.0
    """Thrust over nominal thrust at the same PWM: battery and propellers."""
    gyro_noise: float = 5e-3
    """Standard deviation per 2 ms sample [rad/s]."""
    gyro_bias: float = 2e-3
    """Standard deviation of the constant bias that start-up calibration leaves [rad/s]."""
    accelerometer_noise: float = 0.1
    """Standard deviation per 2 ms sample [m/s^2]."""
    accelerometer_bias: float = 0.05
    """Standard deviation of the constant bias [m/s^2]."""
    mocap_noise: float = 1e-3
    """Standard deviation of a motion capture position, each axis [m]."""
    mocap_angle_noise: float = math.radians(0.2)
    """Standard deviation of a motion capture attitude, each axis [rad]."""
    mocap_latency: float = 0.010
    """From capture to arrival at the host and on board [s]."""
    battery_capacity: float = 250.0
    """Of the battery [mAh]."""
    battery_charge: float = 1.0
    """Share of it that is there at the start [-]."""

    def __post_init__(self) -> None:
        for name in ("mass", "controller_mass", "rotor_lag", "thrust_scale", "battery_capacity"):
            if not getattr(self, name) > 0.0:
                raise ConfigError(f"{name} must be positive, got {getattr(self, name)}")
        for field in fields(self):
            if not np.all(np.asarray(getattr(self, field.name)) >= 0.0):
                raise ConfigError(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if not 0.0 < 2.0 * max(self.inertia) <= sum(self.inertia):
            raise ConfigError(f"inertia: no moment may exceed the sum of the other two, got {self.inertia}")
        if self.inertia_spread >= 0.5:
            raise ConfigError(f"inertia_spread must be below 0.5, got {self.inertia_spread}")
