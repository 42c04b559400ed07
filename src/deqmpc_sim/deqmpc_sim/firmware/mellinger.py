"""The firmware's Mellinger controller at 500 Hz, in the body frame x forward, y left, z up.

Mellinger and Kumar, Minimum snap trajectory generation and control for quadrotors, ICRA 2011, with the
firmware's integral terms and its derivative on roll and pitch rates. Gains are those of ctrlMel; moments are
in legacy PWM units.
"""

import math

import numpy as np

from deqmpc_core.jit import compiled
from deqmpc_sim.firmware.thrust import MASS_THRUST, PWM_MAX
from deqmpc_sim.firmware.truth import GRAVITY, STEP, Array

KP_XY, KD_XY, KI_XY, RANGE_XY = 0.4, 0.2, 0.05, 2.0
KP_Z, KD_Z, KI_Z, RANGE_Z = 1.25, 0.4, 0.05, 0.4
KR_XY, KW_XY = 70000.0, 20000.0
KR_Z, KW_Z, KI_YAW, RANGE_YAW = 60000.0, 12000.0, 500.0, 1500.0
KD_RATE = 200.0
MOMENT_MAX = 32000.0

POSITION, VELOCITY, ACCELERATION, YAW, RATE, MODE = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 9),
    9,
    slice(10, 13),
    13,
)
SETPOINT_SIZE = 14
Vector = tuple[float, float, float]
MODE_OFF, MODE_FULL, MODE_LEVEL = 0.0, 1.0, 2.0
MEMORY_SIZE = 9


@compiled
def _clip(value: float, limit: float) -> float:
    return min(limit, max(-limit, value))


@compiled
def _force(mass: float, state: Array, setpoint: Array, memory: Array) -> Vector:
    """Desired force [N] in the world frame; memory[0:3] integrates the position error."""
    level = setpoint[13] == MODE_LEVEL
    x = y = 0.0
    for i in range(3):
        limit = RANGE_Z if i == 2 else RANGE_XY
        memory[i] = _clip(memory[i] + STEP * (setpoint[i] - state[i]), limit)
    if not level:
        x = (
            mass * setpoint[6]
            + KP_XY * (setpoint[0] - state[0])
            + KD_XY * (setpoint[3] - state[3])
            + KI_XY * memory[0]
        )
        y = (
            mass * setpoint[7]
            + KP_XY * (setpoint[1] - state[1])
            + KD_XY * (setpoint[4] - state[4])
            + KI_XY * memory[1]
        )
    vertical = 0.0 if level else setpoint[8]
    z = mass * (vertical + GRAVITY)
    z += KP_Z * (setpoint[2] - state[2]) + KD_Z * (setpoint[5] - state[5]) + KI_Z * memory[2]
    return x, y, z


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def _unit(a: Vector) -> Vector:
    scale = 1.0 / max(math.sqrt(_dot(a, a)), 1e-9)
    return a[0] * scale, a[1] * scale, a[2] * scale


@compiled
def _axes(state: Array) -> tuple[Vector, Vector, Vector]:
    """Body axes x, y, z in the world frame."""
    w, x, y, z = state[6], state[7], state[8], state[9]
    return (
        (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)),
        (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)),
        (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)),
    )


@compiled
def _moments(error: Vector, gyro: Array, setpoint: Array, memory: Array) -> Vector:
    """Roll, pitch and yaw commands [PWM]; memory[3] integrates yaw, [4:6] the rates and [6:8] the rate
    setpoints of the last step, [8] says whether those exist.
    """
    memory[3] = _clip(memory[3] - STEP * error[2], RANGE_YAW)
    roll = -KR_XY * error[0] + KW_XY * (setpoint[10] - gyro[0])
    pitch = -KR_XY * error[1] + KW_XY * (setpoint[11] - gyro[1])
    yaw = -KR_Z * error[2] + KW_Z * (setpoint[12] - gyro[2]) + KI_YAW * memory[3]
    if memory[8] > 0.0:
        roll += KD_RATE * ((setpoint[10] - memory[6]) - (gyro[0] - memory[4])) / STEP
        pitch += KD_RATE * ((setpoint[11] - memory[7]) - (gyro[1] - memory[5])) / STEP
    memory[4], memory[5], memory[6], memory[7], memory[8] = gyro[0], gyro[1], setpoint[10], setpoint[11], 1.0
    return _clip(roll, MOMENT_MAX), _clip(pitch, MOMENT_MAX), _clip(yaw, MOMENT_MAX)


@compiled
def _mix(thrust: float, roll: float, pitch: float, yaw: float, pwm: Array) -> None:
    """Legacy power distribution for X; what exceeds full PWM on one motor is taken off all."""
    pwm[0] = thrust - 0.5 * roll - 0.5 * pitch - yaw
    pwm[1] = thrust - 0.5 * roll + 0.5 * pitch + yaw
    pwm[2] = thrust + 0.5 * roll + 0.5 * pitch - yaw
    pwm[3] = thrust + 0.5 * roll - 0.5 * pitch + yaw
    overflow = max(0.0, max(max(pwm[0], pwm[1]), max(pwm[2], pwm[3])) - PWM_MAX)
    for i in range(4):
        pwm[i] = max(0.0, pwm[i] - overflow)


@compiled
def _control(mass: float, state: Array, gyro: Array, setpoint: Array, memory: Array, pwm: Array) -> None:
    """One control step; writes pwm (4,)."""
    pwm[:] = 0.0
    if setpoint[13] == MODE_OFF:
        memory[:] = 0.0
        return
    x, y, z = _axes(state)
    force = _force(mass, state, setpoint, memory)
    thrust = MASS_THRUST * _dot(force, z)
    if thrust <= 0.0:
        memory[:] = 0.0
        return
    yaw = math.atan2(x[1], x[0]) if setpoint[13] == MODE_LEVEL else setpoint[9]
    zd = _unit(force)
    yd = _unit(_cross(zd, (math.cos(yaw), math.sin(yaw), 0.0)))
    xd = _cross(yd, zd)
    # The firmware drops the paper's factor 1/2 from the rotation error; its gains are tuned without it.
    error = (_dot(zd, y) - _dot(z, yd), _dot(xd, z) - _dot(x, zd), _dot(yd, x) - _dot(y, xd))
    roll, pitch, turn = _moments(error, gyro, setpoint, memory)
    _mix(thrust, roll, pitch, turn, pwm)


class MellingerController:
    """Setpoint and estimate in, legacy PWM out. A setpoint (14,) is position, velocity, acceleration without
    gravity (world), yaw [rad], body rates [rad/s] and a mode: off, full, or level (level attitude, z kept, x
    and y free).
    """

    def __init__(self, mass: float) -> None:
        """mass: ctrlMel.mass [kg]."""
        self.mass = float(mass)
        """ctrlMel.mass [kg]; may be set."""
        self._memory = np.zeros(MEMORY_SIZE)
        self.pwm: Array = np.zeros(4)

    def step(self, state: Array, gyro: Array, setpoint: Array) -> Array:
        """pwm (4,) from the estimate's state (14,), gyro (3,) and setpoint (14,)."""
        _control(self.mass, state, gyro, setpoint, self._memory, self.pwm)
        return self.pwm

    def cut(self) -> Array:
        """Motors off whatever the setpoint says."""
        self._memory[:] = 0.0
        self.pwm[:] = 0.0
        return self.pwm
