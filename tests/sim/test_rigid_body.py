"""The quadrotors' equations against MuJoCo's integration of the same rigid body."""

import mujoco
import numpy as np
import pytest
import torch

from deqmpc_core.flight.frames import matrix_from_quaternion, mrp_from_quaternion, quaternion_from_mrp
from deqmpc_core.systems import System, crazyflie, quadrotor

_WORLD = """
<mujoco>
  <option timestep="0.001" integrator="RK4" gravity="0 0 -{gravity}"/>
  <worldbody>
    <body>
      <freejoint/>
      <inertial pos="0 0 0" mass="{mass}" fullinertia="{jxx} {jyy} {jzz} {jxy} 0 0"/>
      <site name="hub"/>
    </body>
  </worldbody>
  <actuator>
    <general site="hub" gear="0 0 1 0 0 0"/>
    <general site="hub" gear="0 0 0 1 0 0"/>
    <general site="hub" gear="0 0 0 0 1 0"/>
    <general site="hub" gear="0 0 0 0 0 1"/>
  </actuator>
</mujoco>
"""
_MOTORS = 1.0 / np.sqrt(2.0) * np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]])


def _wrench(system: System, u: np.ndarray) -> np.ndarray:
    """Thrust [N] and torques [N m] of four commands on the body's axes."""
    p = system.parameters
    thrust = p["thrust_gain"] * u + p["thrust_offset"]
    x, y = p["arm"] * _MOTORS.T
    return np.array([thrust.sum(), y @ thrust, -x @ thrust, p["yaw_gain"] * (u @ [1.0, -1.0, 1.0, -1.0])])


def _mujoco(system: System, x0: np.ndarray, u: np.ndarray) -> np.ndarray:
    """[position, rotation (9), body velocity, body rates] after 1 s from x0 (12,) under u (4,)."""
    model = mujoco.MjModel.from_xml_string(_WORLD.format(**system.parameters))
    data = mujoco.MjData(model)
    turn = quaternion_from_mrp(x0[3:6])
    data.qpos[:] = np.concatenate([x0[:3], turn[[3, 0, 1, 2]]])
    data.qvel[:] = np.concatenate([matrix_from_quaternion(turn) @ x0[6:9], x0[9:]])
    data.ctrl[:] = _wrench(system, u)
    for _ in range(1000):
        mujoco.mj_step(model, data)
    rotation = matrix_from_quaternion(data.qpos[[4, 5, 6, 3]])
    return np.concatenate([data.qpos[:3], rotation.ravel(), rotation.T @ data.qvel[:3], data.qvel[3:]])


@pytest.mark.parametrize(
    ("system", "surplus"), [(quadrotor, 0.005), (crazyflie, 1e-5)], ids=["quadrotor", "crazyflie"]
)
@pytest.mark.parametrize("driven", [False, True])
def test_a_rigid_quadrotor_moves_as_mujoco_says(system: System, surplus: float, driven: bool) -> None:
    """Free of thrust, and with a constant one that turns it about all axes."""
    p = system.parameters
    x0 = np.array([0.1, -0.2, 5.0, 0.1, -0.2, 0.05, 0.5, -0.3, 0.2, 0.8, -0.6, 1.0])
    free = -p["thrust_offset"] / p["thrust_gain"]
    hover = free + 0.25 * p["mass"] * p["gravity"] / p["thrust_gain"]
    u = hover + surplus * np.array([1.0, -2.0, 0.5, 3.0]) if driven else np.full(4, free)
    x, control = torch.from_numpy(x0)[None], torch.from_numpy(u)[None]
    for _ in range(20):
        x = system.to_short_mrp(system.rk4(x, control, 0.05))
    ours = x[0].numpy()
    rotation = matrix_from_quaternion(quaternion_from_mrp(ours[3:6]))
    found = np.concatenate([ours[:3], rotation.ravel(), ours[6:]])
    np.testing.assert_allclose(found, _mujoco(system, x0, u), atol=1e-3)
    assert np.abs(mrp_from_quaternion(quaternion_from_mrp(ours[3:6])) - x0[3:6]).max() > 0.1  # it did turn
