"""Rotations against MuJoCo's own, and the way to the task's state and back."""

import mujoco
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deqmpc_core.flight import frames

numbers = st.floats(-3.0, 3.0, allow_nan=False)
vectors = arrays(float, 3, elements=numbers)
quaternions = (
    arrays(float, 4, elements=st.floats(-1.0, 1.0))
    .filter(lambda q: np.linalg.norm(q) > 0.1)
    .map(lambda q: q / np.linalg.norm(q))
)


def wxyz(quaternion: np.ndarray) -> np.ndarray:
    return np.roll(quaternion, 1)


def same_attitude(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(abs(abs(a @ b) - 1.0) < 1e-9)


@given(quaternions, quaternions, vectors)
def test_quaternions_agree_with_mujoco(a: np.ndarray, b: np.ndarray, vector: np.ndarray) -> None:
    product, matrix, turned, velocity = np.zeros(4), np.zeros(9), np.zeros(3), np.zeros(3)
    mujoco.mju_mulQuat(product, wxyz(a), wxyz(b))
    mujoco.mju_quat2Mat(matrix, wxyz(a))
    mujoco.mju_rotVecQuat(turned, vector, wxyz(a))
    mujoco.mju_quat2Vel(velocity, wxyz(a), 1.0)
    assert np.allclose(wxyz(frames.multiply(a, b)), product, atol=1e-12)
    assert np.allclose(frames.matrix_from_quaternion(a), matrix.reshape(3, 3), atol=1e-12)
    assert np.allclose(frames.matrix_from_quaternion(a) @ vector, turned, atol=1e-12)
    log = frames.rotation_vector_from_quaternion(a)
    assert np.linalg.norm(log) <= np.pi + 1e-9
    assert same_attitude(frames.quaternion_from_rotation_vector(velocity), a)
    assert same_attitude(frames.quaternion_from_rotation_vector(log), a)


@given(vectors)
def test_exponential_agrees_with_mujoco(vector: np.ndarray) -> None:
    oracle, angle = np.zeros(4), float(np.linalg.norm(vector))
    mujoco.mju_axisAngle2Quat(oracle, vector / angle if angle > 0 else np.array([1.0, 0.0, 0.0]), angle)
    assert np.allclose(wxyz(frames.quaternion_from_rotation_vector(vector)), oracle, atol=1e-12)


@given(quaternions)
def test_mrp_is_the_short_set_of_the_same_attitude(quaternion: np.ndarray) -> None:
    mrp = frames.mrp_from_quaternion(quaternion)
    assert np.linalg.norm(mrp) <= 1.0 + 1e-12
    assert same_attitude(frames.quaternion_from_mrp(mrp), quaternion)
    square = mrp @ mrp
    if square > 0.01:
        assert same_attitude(frames.quaternion_from_mrp(-mrp / square), quaternion)


@given(vectors, quaternions, vectors, vectors, vectors)
def test_task_state_and_back(position, quaternion, velocity, omega, origin) -> None:
    state = frames.task_from_world(position, quaternion, velocity, omega, origin)
    back = frames.world_from_task(state, origin)
    assert np.allclose(back[0], position)
    assert same_attitude(back[1], quaternion)
    assert np.allclose(back[2], velocity, atol=1e-9)
    assert np.array_equal(back[3], omega)
    p, q, v, w = (np.stack([value, value]) for value in (position, quaternion, velocity, omega))
    stacked = frames.task_from_world(p, q, v, w, origin)
    assert np.allclose(stacked, np.stack([state, state]), atol=1e-12)


def test_conventions() -> None:
    quarter = frames.quaternion_from_yaw(np.pi / 2)
    assert np.allclose(frames.matrix_from_quaternion(quarter) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    assert np.isclose(frames.yaw_from_quaternion(quarter), np.pi / 2)
    state = frames.task_from_world(
        np.zeros(3), quarter, np.array([0.0, 2.0, 0.0]), np.zeros(3), np.array([0.0, 0.0, 1.0])
    )
    assert np.allclose(state[:3], [0.0, 0.0, -1.0])
    assert np.allclose(state[6:9], [2.0, 0.0, 0.0]), "body velocity: flying along its own x"
