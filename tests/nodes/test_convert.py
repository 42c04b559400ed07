"""Messages and plain values: nothing is lost on the way, to the last bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from rclpy.serialization import deserialize_message, serialize_message

from deqmpc_core.flight import Estimate, GoTo, Land, PlanPacket, Setpoint, Takeoff
from deqmpc_core.flight.frames import quaternion_from_rotation_vector, yaw_from_quaternion
from deqmpc_policy_node.clock import TimeBase, nanoseconds
from deqmpc_policy_node.convert import (
    PlanDetails,
    array,
    duration,
    estimate_message,
    full_state,
    path_message,
    plan_message,
    plan_packet,
    pose_sample,
)
from deqmpc_policy_node.services import _CALLS
from deqmpc_policy_node.transforms import transform
from deqmpc_sim.nodes.server import seconds

LOCK_STEP = TimeBase(lock_step=True)


@pytest.fixture(autouse=True)
def checked_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PYTHON_CHECK_FIELDS", "1")


def _packet(rng: np.random.Generator, knots: int, stamp: float) -> PlanPacket:
    rows = rng.normal(size=(3, knots, 3))
    return PlanPacket(stamp, 0.1, rows[0], rows[1], rows[2], rng.normal(size=knots), 1, 17, 4)


@given(seed=st.integers(0, 2**32 - 1), knots=st.integers(2, 12), milliseconds=st.integers(0, 10**7))
def test_a_plan_survives_the_wire_bit_for_bit(seed: int, knots: int, milliseconds: int) -> None:
    rng = np.random.default_rng(seed)
    packet = _packet(rng, knots, milliseconds * 1_000_000 / 1e9)
    details = PlanDetails("goal-mpc", rng.normal(size=(knots, 12)), rng.normal(size=(knots - 1, 4)))
    message = plan_message(packet, details, LOCK_STEP)
    back = plan_packet(deserialize_message(serialize_message(message), type(message)), LOCK_STEP)
    for name in ("x_world", "velocity_world", "acceleration_world", "yaw"):
        np.testing.assert_array_equal(getattr(back, name), getattr(packet, name))
    assert (back.stamp, back.dt, back.status) == (packet.stamp, 0.1, 1)
    assert (back.frame_number, back.sequence) == (17, 4)
    assert message.horizon == knots - 1 and len(message.x) == knots * 12


@given(yaw=st.floats(-3.1, 3.1), t=st.floats(0.0, 1e4))
def test_a_setpoint_carries_yaw_in_a_unit_quaternion(yaw: float, t: float) -> None:
    rows = np.arange(9.0).reshape(3, 3)
    message = full_state(Setpoint(rows[0], rows[1], rows[2], yaw), LOCK_STEP, t)
    q = array(message.pose.orientation)
    assert abs(np.linalg.norm(q) - 1.0) < 1e-12
    assert abs(yaw_from_quaternion(q) - yaw) < 1e-12
    np.testing.assert_array_equal(array(message.twist.linear), rows[1])
    np.testing.assert_array_equal(array(message.acc), rows[2])
    assert message.twist.angular.x == message.twist.angular.y == message.twist.angular.z == 0.0


def test_the_named_body_is_found_among_others() -> None:
    message = RigidBodies(frame_number=9)
    message.header.stamp = LOCK_STEP.stamp(1.25)
    for k, name in enumerate(("table", "cf1")):
        body = RigidBody(rigid_body_name=name)
        body.pose.position.x = float(k)
        message.rigidbodies.append(body)
    sample = pose_sample(message, "cf1", LOCK_STEP)
    assert sample is not None and sample.position[0] == 1.0
    assert (sample.stamp, sample.frame_number) == (1.25, 9)
    assert pose_sample(message, "cf2", LOCK_STEP) is None


def test_numpy_scalars_never_reach_a_message() -> None:
    quaternion = quaternion_from_rotation_vector(np.array([0.1, -0.2, 0.3], dtype=np.float32).astype(float))
    rows: Any = np.ones(3, dtype=np.float32)
    height: Any = np.float32(0.5)
    estimate = Estimate(0.5, np.int64(3), rows, quaternion, rows, rows, rows, 0.0)  # type: ignore[arg-type]
    told = estimate_message(estimate, LOCK_STEP, np.array([4, 6]))  # type: ignore[arg-type]
    assert list(deserialize_message(serialize_message(told), type(told)).skipped) == [4, 6]
    packet = _packet(np.random.default_rng(0), 6, 0.5)
    serialize_message(path_message(packet, LOCK_STEP))
    for command in (
        Takeoff(height, 2.0),
        Land(0.03, np.float64(1.5)),
        GoTo(rows, np.float64(0.1), 2.0),
    ):
        serialize_message(_CALLS[type(command)].request(command))


@given(value=st.floats(0.0, 100.0))
def test_durations_arrive_as_the_flight_in_one_process_has_them(value: float) -> None:
    assert seconds(duration(value)) == pytest.approx(round(value, 9), abs=1.1e-9)


def test_wall_stamps_become_small_exact_seconds() -> None:
    base = TimeBase(lock_step=False)
    now = base.stamp(base.now())
    assert 0.0 <= base.seconds(now) < 60.0
    assert nanoseconds(base.stamp(base.seconds(now))) == nanoseconds(now)


def test_the_transform_is_where_the_estimate_is() -> None:
    turn = quaternion_from_rotation_vector(np.array([0.1, -0.2, 0.3]))
    still = np.zeros(3)
    there = Estimate(1.5, 7, np.arange(3.0), turn, still, still, still, 0.0)
    message = transform(there, "cf1", LOCK_STEP)
    assert (message.header.frame_id, message.child_frame_id) == ("world", "cf1_estimate")
    assert nanoseconds(message.header.stamp) == 1_500_000_000
    np.testing.assert_array_equal(array(message.transform.translation), there.position)
    np.testing.assert_array_equal(array(message.transform.rotation), turn)
