"""Plan packets between their knots, at their ends, and when they are broken."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deqmpc_core.flight import PlanPacket, Setpoint
from deqmpc_core.flight.trajectory import WIRE_LIMIT

numbers = st.floats(-3.0, 3.0)
coefficients = arrays(float, (4, 3), elements=numbers)


def cubic(c: np.ndarray, t: float | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position, velocity and acceleration (..., 3) of the polynomial with coefficients c (4, 3)."""
    t = np.asarray(t, dtype=float)[..., None]
    position = c[0] + c[1] * t + c[2] * t**2 + c[3] * t**3
    return position, c[1] + 2 * c[2] * t + 3 * c[3] * t**2, 2 * c[2] + 6 * c[3] * t


def packet_of(c: np.ndarray, stamp: float = 4.0, dt: float = 0.1, knots: int = 6) -> PlanPacket:
    position, velocity, acceleration = cubic(c, dt * np.arange(knots))
    return PlanPacket(stamp, dt, position, velocity, acceleration, np.zeros(knots), 0, 1, 1)


@given(coefficients, st.floats(0.0, 0.5))
def test_is_exact_for_constant_jerk(c: np.ndarray, s: float) -> None:
    setpoint = packet_of(c).sample(4.0 + s)
    told = (setpoint.position, setpoint.velocity, setpoint.acceleration)
    assert all(np.allclose(a, b, atol=1e-8) for a, b in zip(told, cubic(c, s), strict=True))


@given(arrays(float, (4, 6, 3), elements=numbers), st.floats(0.0, 0.5))
def test_velocity_is_the_slope_and_nothing_jumps(knots: np.ndarray, s: float) -> None:
    """Through any knots, consistent or not, setpoints are continuous; knots themselves are met."""
    packet = replace(
        packet_of(np.zeros((4, 3))), x_world=knots[0], velocity_world=knots[1], acceleration_world=knots[2]
    )
    here, next_ = packet.sample(4.0 + s), packet.sample(4.0 + s + 1e-7)
    assert np.allclose(here.position, next_.position, atol=1e-4)
    assert np.allclose(here.velocity, next_.velocity, atol=1e-4)
    assert np.allclose(here.acceleration, next_.acceleration, atol=1e-4)
    for k in range(6):
        met = packet.sample(4.0 + 0.1 * k)
        assert np.allclose(met.position, knots[0, k], atol=1e-6)
        assert np.allclose(met.velocity, knots[1, k], atol=1e-6)


def test_a_millimetre_of_violation_does_not_kick() -> None:
    packet = packet_of(np.zeros((4, 3)))
    packet.x_world[3] += 1e-3
    worst = max(np.abs(packet.sample(4.0 + s).acceleration).max() for s in np.linspace(0.0, 0.5, 101))
    assert worst == 0.0


@given(coefficients, st.floats(-1e6, 1e6))
def test_is_held_outside_its_span(c: np.ndarray, t: float) -> None:
    packet = packet_of(c)
    inside = min(max(t, packet.stamp), packet.end)
    a, b = packet.sample(t), packet.sample(inside)
    assert np.allclose(a.position, b.position) and np.allclose(a.velocity, b.velocity)


def test_feedforward_may_be_read_elsewhere_and_yaw_takes_the_short_way() -> None:
    c = np.zeros((4, 3))
    c[3] = 1.0
    packet = replace(packet_of(c), yaw=np.array([3.1, -3.1, -3.1, -3.1, -3.1, -3.1]))
    setpoint = packet.sample(4.05, 4.2)
    assert np.allclose(setpoint.acceleration, 6 * 0.2)
    assert np.allclose(setpoint.position, 0.05**3)
    assert abs(abs(setpoint.limited().yaw) - np.pi) < 1e-9


BROKEN = {
    "one knot": {
        "x_world": np.zeros((1, 3)),
        "velocity_world": np.zeros((1, 3)),
        "acceleration_world": np.zeros((1, 3)),
    },
    "flat": {"x_world": np.zeros(18)},
    "short velocity": {"velocity_world": np.zeros((5, 3))},
    "short yaw": {"yaw": np.zeros(5)},
    "nan position": {"x_world": np.full((6, 3), np.nan)},
    "infinite acceleration": {"acceleration_world": np.full((6, 3), np.inf)},
    "nan stamp": {"stamp": np.nan},
    "dt zero": {"dt": 0.0},
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_names_what_is_broken(change: dict) -> None:
    packet = packet_of(np.zeros((4, 3)))
    assert packet.fault() is None
    assert replace(packet, **change).fault()


@given(arrays(float, (3, 3), elements=st.floats(-1e300, 1e300)), st.floats(-1e6, 1e6))
def test_limits_fit_the_packet(values: np.ndarray, yaw: float) -> None:
    limited = Setpoint(values[0], values[1], values[2], yaw).limited()
    for value in (limited.position, limited.velocity, limited.acceleration):
        assert np.all(np.abs(np.round(value * 1000)) <= 32767)
    assert abs(limited.yaw) <= np.pi and limited.is_finite()
    assert WIRE_LIMIT == 32.767
