"""The Crazyflie as a rigid body with four lagging rotors over a floor, stepped by MuJoCo.

World ENU, body x forward, y left, z up, body origin at the centre of mass. Motors: m1 front-right (CCW), m2
back-right (CW), m3 back-left (CCW), m4 front-left (CW).
"""

import math

import mujoco
import numpy as np

from deqmpc_core.jit import compiled
from deqmpc_sim.firmware.thrust import thrust_of_pwm
from deqmpc_sim.firmware.truth import GRAVITY, STEP, Array, Seed, Stream, TrueState, TruthConfig, generator

ARM = 0.046 / math.sqrt(2.0)
TORQUE_PER_THRUST = 0.006
THRUST_PER_SPEED_SQUARED = 1.86e-8
"""Thrust over squared rotor speed [N s^2], from the identified curve at hover."""
LEAST_SPINNING_THRUST = 0.01
"""Below it [N] the rotor speed is not told from the thrust, whose square root has no slope at 0."""
HALF_HEIGHT = 0.015
MOTORS = ((ARM, -ARM, -1.0), (-ARM, -ARM, 1.0), (-ARM, ARM, -1.0), (ARM, ARM, 1.0))
"""Each motor's x, y [m] and the sign of its reaction torque about body z."""

_MODEL = """
<mujoco model="crazyflie">
  <option timestep="{step}" integrator="RK4" gravity="0 0 -{gravity}">
    <flag autoreset="disable"/>
  </option>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 0.1" friction="1 0.01 0.001"/>
    <body name="crazyflie">
      <freejoint/>
      <inertial pos="0 0 0" mass="{mass}" diaginertia="{inertia}"/>
      <geom name="hull" type="cylinder" size="0.06 {half_height}" mass="0"/>
      {sites}
    </body>
  </worldbody>
  <actuator>
    {rotors}
  </actuator>
</mujoco>
"""
_SITE = '<site name="m{i}" pos="{x} {y} 0"/>'
_ROTOR = '<general site="m{i}" gear="0 0 1 0 0 {torque}" dyntype="filter" dynprm="{lag}"/>'


def model_xml(truth: TruthConfig, inertia: Array) -> str:
    """The MJCF model; inertia (3,) [kg m^2]."""
    sites = [_SITE.format(i=i, x=x, y=y) for i, (x, y, _) in enumerate(MOTORS, 1)]
    rotors = [
        _ROTOR.format(i=i, torque=sign * TORQUE_PER_THRUST, lag=truth.rotor_lag)
        for i, (_, _, sign) in enumerate(MOTORS, 1)
    ]
    return _MODEL.format(
        step=STEP,
        gravity=GRAVITY,
        mass=truth.mass,
        inertia=" ".join(repr(float(moment)) for moment in inertia),
        half_height=HALF_HEIGHT,
        sites="\n      ".join(sites),
        rotors="\n    ".join(rotors),
    )


@compiled
def _spin(pwm: Array, numbers: Array, thrust: Array, ctrl: Array, force: Array) -> None:
    """Write the rotors' steady thrusts into ctrl (4,) [N] and the reaction to their acceleration into
    force[5] [N m].

    thrust (4,) is the present one; numbers: thrust scale, rotor lag [s], rotor inertia [kg m^2].
    """
    force[5] = 0.0
    for i in range(4):
        ctrl[i] = numbers[0] * thrust_of_pwm(pwm[i])
        slope = 2.0 * math.sqrt(THRUST_PER_SPEED_SQUARED * max(thrust[i], LEAST_SPINNING_THRUST))
        force[5] += MOTORS[i][2] * numbers[2] * (ctrl[i] - thrust[i]) / (numbers[1] * slope)


@compiled
def _resist(drag: Array, qpos: Array, qvel: Array, force: Array) -> None:
    """Write the drag into force[0:3], world frame [N]; drag (3,) along the body axes [N s/m]."""
    w, x, y, z = qpos[3], qpos[4], qpos[5], qpos[6]
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    force[0] = force[1] = force[2] = 0.0
    for j in range(3):
        along = -drag[j] * (rows[0][j] * qvel[0] + rows[1][j] * qvel[1] + rows[2][j] * qvel[2])
        for i in range(3):
            force[i] += rows[i][j] * along


@compiled
def _sense(
    qpos: Array, qvel: Array, before: Array, noise: Array, bias: Array, gyro: Array, accelerometer: Array
) -> None:
    """IMU sample: body rate, and specific force as the mean acceleration of the step less gravity, in the
    body frame.
    """
    w, x, y, z = qpos[3], qpos[4], qpos[5], qpos[6]
    a = (qvel[0] - before[0]) / STEP
    b = (qvel[1] - before[1]) / STEP
    c = (qvel[2] - before[2]) / STEP + GRAVITY
    accelerometer[0] = (1 - 2 * (y * y + z * z)) * a + 2 * (x * y + w * z) * b + 2 * (x * z - w * y) * c
    accelerometer[1] = 2 * (x * y - w * z) * a + (1 - 2 * (x * x + z * z)) * b + 2 * (y * z + w * x) * c
    accelerometer[2] = 2 * (x * z + w * y) * a + 2 * (y * z - w * x) * b + (1 - 2 * (x * x + y * y)) * c
    for i in range(3):
        gyro[i] = qvel[3 + i] + bias[i] + noise[i]
        accelerometer[i] += bias[3 + i] + noise[3 + i]
        before[i] = qvel[i]


def _draw_inertia(truth: TruthConfig, source: np.random.Generator) -> Array:
    """Principal moments (3,) within the spread; drawn again until a body can have them (no moment above the
    others' sum).
    """
    while True:
        factor = source.uniform(1.0 - truth.inertia_spread, 1.0 + truth.inertia_spread, 3)
        inertia = np.asarray(truth.inertia) * factor
        if 2.0 * inertia.max() <= inertia.sum():
            return inertia


class RigidBody:
    """Physics and IMU, 2 ms a step. gyro (3,) [rad/s], accelerometer (3,) [m/s^2]: the latest sample."""

    _BLOCK = 1024

    def __init__(self, truth: TruthConfig, seed: Seed, position: Array) -> None:
        """position (3,) world [m]; one below the floor is lifted onto it."""
        once = generator(seed, Stream.BODY)
        self.inertia = _draw_inertia(truth, once)
        self._bias = once.standard_normal(6) * np.repeat([truth.gyro_bias, truth.accelerometer_bias], 3)
        self._sigma = np.repeat([truth.gyro_noise, truth.accelerometer_noise], 3)
        self._noise_source = generator(seed, Stream.IMU)
        self._noise = np.empty((0, 6))
        self._row = 0
        self._model = mujoco.MjModel.from_xml_string(model_xml(truth, self.inertia))
        self._data = mujoco.MjData(self._model)
        self._drag = np.asarray(truth.drag, dtype=np.float64)
        self._rotors = np.array((truth.thrust_scale, truth.rotor_lag, truth.rotor_inertia))
        self.qpos, self.qvel = self._data.qpos, self._data.qvel
        self._ctrl, self._thrust, self._force = self._data.ctrl, self._data.act, self._data.qfrc_applied
        self.qpos[:3] = position
        self.qpos[2] = max(float(position[2]), HALF_HEIGHT)
        self._before = np.zeros(3)
        self.gyro = np.zeros(3)
        self.accelerometer = np.array([0.0, 0.0, GRAVITY])

    def step(self, pwm: Array) -> None:
        """Advance 2 ms with pwm (4,) on the motors, then sample the IMU."""
        _spin(pwm, self._rotors, self._thrust, self._ctrl, self._force)
        _resist(self._drag, self.qpos, self.qvel, self._force)
        mujoco.mj_step(self._model, self._data)
        if self._row == len(self._noise):
            self._noise = self._noise_source.standard_normal((self._BLOCK, 6)) * self._sigma
            self._row = 0
        noise = self._noise[self._row]
        self._row += 1
        _sense(self.qpos, self.qvel, self._before, noise, self._bias, self.gyro, self.accelerometer)

    @property
    def rotor_thrust(self) -> Array:
        """Present thrust of the four motors (4,) [N]."""
        return self._thrust.copy()

    @property
    def state(self) -> TrueState:
        """A copy of the true state."""
        q = self.qpos
        return TrueState(
            q[:3].copy(),
            np.array((q[4], q[5], q[6], q[3])),
            self.qvel[:3].copy(),
            self.qvel[3:].copy(),
            self._data.ncon > 0,
        )
