import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import matrix_from_quaternion, quaternion_from_rotation_vector
from deqmpc_sim.firmware.physics import MOTORS, THRUST_PER_SPEED_SQUARED, TORQUE_PER_THRUST, RigidBody
from deqmpc_sim.firmware.thrust import MASS_THRUST, THRUST_MAX, pwm_of_thrust, thrust_of_pwm
from deqmpc_sim.firmware.truth import GRAVITY, TruthConfig

Array = np.ndarray


def derivative(state: Array, command: Array, truth: TruthConfig, inertia: Array) -> Array:
    """Newton and Euler for [r, v, R (9), omega, thrust (4)], written without MuJoCo."""
    velocity, rotation, omega, thrust = state[3:6], state[6:15].reshape(3, 3), state[15:18], state[18:]
    growth = (command - thrust) / truth.rotor_lag
    force = rotation @ ([0, 0, thrust.sum()] - np.array(truth.drag) * (rotation.T @ velocity))
    spin = truth.rotor_inertia * growth / (2 * np.sqrt(THRUST_PER_SPEED_SQUARED * np.maximum(thrust, 0.01)))
    x, y, sign = np.array(MOTORS).T
    torque = np.array([y @ thrust, -x @ thrust, sign @ (TORQUE_PER_THRUST * thrust + spin)])
    skew = np.cross(omega, np.eye(3)).T
    turning = (torque - np.cross(omega, inertia * omega)) / inertia
    fall = force / truth.mass - [0, 0, GRAVITY]
    return np.concatenate([velocity, fall, (rotation @ skew).ravel(), turning, growth])


def integrate(state: Array, command: Array, truth: TruthConfig, inertia: Array, seconds: float) -> Array:
    h = 5e-4
    for _ in range(round(seconds / h)):
        a = derivative(state, command, truth, inertia)
        b = derivative(state + 0.5 * h * a, command, truth, inertia)
        c = derivative(state + 0.5 * h * b, command, truth, inertia)
        d = derivative(state + h * c, command, truth, inertia)
        state = state + h / 6 * (a + 2 * b + 2 * c + d)
    return state


@pytest.mark.parametrize(
    ("truth", "tolerance"),
    # Drag and rotor reaction are held for a step; without them both integrators are of 4th order.
    [(TruthConfig(drag=(0.0, 0.0, 0.0), rotor_inertia=0.0), 1e-6), (TruthConfig(), 1e-3)],
)
def test_mujoco_body_moves_as_newton_and_euler_say(truth: TruthConfig, tolerance: float) -> None:
    body = RigidBody(truth, 3, np.array([0.0, 0.0, 50.0]))
    turn = quaternion_from_rotation_vector(np.array([0.3, -0.2, 0.5]))
    body.qpos[3:7] = turn[[3, 0, 1, 2]]
    body.qvel[:] = (0.5, -1.0, 0.3, 0.8, -0.5, 1.0)
    pwm = np.array([39000.0, 39100.0, 39150.0, 39300.0])
    command = np.array([thrust_of_pwm(value) for value in pwm])
    start = np.concatenate(
        [(0, 0, 50.0, 0.5, -1.0, 0.3), matrix_from_quaternion(turn).ravel(), (0.8, -0.5, 1.0)]
    )
    expected = integrate(np.concatenate([start, np.zeros(4)]), command, truth, body.inertia, 1.0)
    for _ in range(500):
        body.step(pwm)
    state = body.state
    np.testing.assert_allclose(state.position, expected[:3], atol=tolerance)
    np.testing.assert_allclose(state.velocity, expected[3:6], atol=3 * tolerance)
    np.testing.assert_allclose(
        matrix_from_quaternion(state.quaternion).ravel(), expected[6:15], atol=tolerance
    )
    np.testing.assert_allclose(state.omega, expected[15:18], atol=3 * tolerance)


def test_imu_of_a_body_at_rest_and_of_one_in_free_fall() -> None:
    still = dict.fromkeys(("gyro_noise", "gyro_bias", "accelerometer_noise", "accelerometer_bias"), 0.0)
    quiet = TruthConfig(**still, drag=(0.0, 0.0, 0.0))  # type: ignore[arg-type]
    resting, falling = (RigidBody(quiet, 0, np.array([0.0, 0.0, height])) for height in (0.0, 20.0))
    for _ in range(200):
        resting.step(np.zeros(4))
        falling.step(np.zeros(4))
    np.testing.assert_allclose(resting.accelerometer, (0, 0, GRAVITY), atol=1e-2)
    np.testing.assert_allclose(falling.accelerometer, 0.0, atol=1e-9)
    assert resting.state.floor_contact and not falling.state.floor_contact


@given(st.floats(2e-3, 0.1399))
def test_thrust_curve_round_trip(thrust: float) -> None:
    assert thrust_of_pwm(pwm_of_thrust(thrust)) == pytest.approx(thrust, rel=1e-9)


def test_feed_forward_hovers_and_the_motor_saturates() -> None:
    assert 4 * thrust_of_pwm(MASS_THRUST * 0.032 * GRAVITY) == pytest.approx(0.032 * GRAVITY)
    assert thrust_of_pwm(0.0) == 0.0 and thrust_of_pwm(65535.0) == THRUST_MAX


@given(st.integers(0, 10**6))
def test_drawn_inertia_is_that_of_a_body_within_the_spread(seed: int) -> None:
    truth = TruthConfig()
    inertia = RigidBody(truth, seed, np.zeros(3)).inertia
    assert np.all(np.abs(inertia / np.array(truth.inertia) - 1.0) <= 0.1)


@pytest.mark.parametrize(
    "wrong", [{"mass": 0.0}, {"rotor_lag": -1.0}, {"mocap_noise": float("nan")}, {"inertia": (1, 1, 3)}]
)
def test_impossible_truth_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TruthConfig(**wrong)  # type: ignore[arg-type]
