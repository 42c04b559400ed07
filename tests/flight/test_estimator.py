"""The estimator on known motions, on rubbish, and on time that misbehaves."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deqmpc_core.flight import Estimate, EstimatorConfig, PoseSample, StateEstimator
from deqmpc_core.flight.frames import (
    GRAVITY,
    conjugate,
    multiply,
    quaternion_from_rotation_vector,
    rotation_vector_from_quaternion,
    unit,
)

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


class Motion:
    """Sines of up to 2 m/s^2 and 1.2 Hz on each axis, flown by a drone with drag that tilts as it must."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.size, self.phase = rng.uniform(0.3, 0.9, (4, 3)), rng.uniform(0.0, 6.3, (4, 3))
        self.rate = 2.0 * np.pi * rng.uniform(0.2, 1.2, (4, 3))

    def at(self, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, velocity, attitude."""
        angle = self.rate * t + self.phase
        position = -(self.size / self.rate**2 * np.sin(angle)).sum(0)
        velocity = -(self.size / self.rate * np.cos(angle)).sum(0)
        force = (self.size * np.sin(angle)).sum(0) + 0.4 * velocity + np.array([0.0, 0.0, GRAVITY])
        up = force / np.linalg.norm(force)
        return position, velocity, unit(np.array([-up[1], up[0], 0.0, 1.0 + up[2]]))

    def rate_at(self, t: float) -> np.ndarray:
        before, after = self.at(t - 1e-3)[2], self.at(t + 1e-3)[2]
        return rotation_vector_from_quaternion(multiply(conjugate(before), after)) / 2e-3


def errors(seed: int) -> np.ndarray:
    """Root mean square of position, velocity, attitude and rate errors of predictions 10 ms ahead at 100
    Hz."""
    motion, rng, estimator, rows = Motion(seed), np.random.default_rng(seed), StateEstimator(), []
    for k in range(600):
        t = k / 100
        position, _, quaternion = motion.at(t)
        turn = quaternion_from_rotation_vector(np.radians(0.2) * rng.standard_normal(3))
        assert estimator.update(
            PoseSample(t, k, position + 1e-3 * rng.standard_normal(3), multiply(quaternion, turn))
        )
        if k > 100:
            rows.append(_miss(motion, estimator.estimate(t + 0.01)))
    return np.sqrt(np.mean(np.square(rows), axis=(0, 2)))


def _miss(motion: Motion, seen: Estimate | None) -> list[np.ndarray]:
    assert seen is not None
    position, velocity, quaternion = motion.at(seen.stamp)
    turn = rotation_vector_from_quaternion(multiply(conjugate(quaternion), seen.quaternion))
    return [seen.position - position, seen.velocity - velocity, turn, seen.omega - motion.rate_at(seen.stamp)]


@pytest.mark.parametrize("seed", range(3))
def test_follows_a_manoeuvring_drone(seed: int) -> None:
    position, velocity, attitude, rate = errors(seed)
    assert position < 1.5e-3
    assert velocity < 0.03
    assert attitude < 0.01
    assert rate < 0.25


def test_is_exact_for_constant_velocity_and_spin_without_noise() -> None:
    estimator, velocity, omega = StateEstimator(), np.array([0.5, -1.0, 0.25]), np.array([0.0, 0.0, 2.0])
    for k in range(300):
        t = k / 100
        estimator.update(PoseSample(t, k, t * velocity, quaternion_from_rotation_vector(t * omega)))
    seen = estimator.estimate(3.05)
    assert seen is not None and seen.frame_number == 299 and seen.age == pytest.approx(0.06)
    assert np.allclose(seen.position, 3.05 * velocity, atol=1e-3)
    assert np.allclose(seen.velocity, velocity, atol=5e-3)
    assert np.allclose(seen.omega, omega, atol=1e-3)
    attitude = multiply(conjugate(quaternion_from_rotation_vector(3.05 * omega)), seen.quaternion)
    assert np.linalg.norm(rotation_vector_from_quaternion(attitude)) < 1e-3


SAMPLE = PoseSample(1.0, 7, np.array([0.1, 0.2, 0.3]), LEVEL)
REFUSED = {
    "same stamp": SAMPLE,
    "older": replace(SAMPLE, stamp=0.9),
    "nan position": replace(SAMPLE, stamp=1.1, position=np.array([np.nan, 0.0, 0.0])),
    "nan attitude of a position-only body": replace(SAMPLE, stamp=1.1, quaternion=np.full(4, np.nan)),
    "infinite stamp": replace(SAMPLE, stamp=np.inf),
    "zero quaternion": replace(SAMPLE, stamp=1.1, quaternion=np.zeros(4)),
    "long quaternion": replace(SAMPLE, stamp=1.1, quaternion=1.2 * LEVEL),
    "huge quaternion": replace(SAMPLE, stamp=1.1, quaternion=np.full(4, 1e300)),
    "out of bounds": replace(SAMPLE, stamp=1.1, position=np.array([0.0, 0.0, 101.0])),
    "wrong shape": replace(SAMPLE, stamp=1.1, position=np.zeros(2)),
}


@pytest.mark.parametrize("sample", REFUSED.values(), ids=REFUSED.keys())
def test_refuses_and_forgets(sample: PoseSample) -> None:
    estimator, twin = StateEstimator(), StateEstimator()
    assert estimator.estimate(1.0) is None
    assert estimator.update(SAMPLE) and twin.update(SAMPLE)
    assert not estimator.update(sample)
    later = replace(SAMPLE, stamp=1.2, frame_number=8, position=np.array([0.2, 0.2, 0.3]))
    assert estimator.update(later) and twin.update(later)
    ours, theirs = estimator.estimate(1.3), twin.estimate(1.3)
    assert ours is not None and theirs is not None
    assert np.array_equal(ours.velocity, theirs.velocity) and ours.frame_number == 8


def test_restarts_after_a_long_gap_and_after_the_clock_stepped_back() -> None:
    estimator, limit = StateEstimator(), EstimatorConfig().max_stale
    for k in range(50):
        estimator.update(replace(SAMPLE, stamp=100 + k / 100, position=np.array([k / 100, 0.0, 0.0])))
    estimator.update(replace(SAMPLE, stamp=200.0, position=np.array([50.0, 0.0, 0.0])))
    seen = estimator.estimate(200.0)
    assert seen is not None and np.array_equal(seen.velocity, np.zeros(3)) and seen.position[0] == 50.0
    places = [np.array([0.1, 0.2, 1e-6 * k]) for k in range(limit + 5)]
    taken = [estimator.update(replace(SAMPLE, stamp=5 + k / 100, position=p)) for k, p in enumerate(places)]
    assert taken == [False] * limit + [True] * 5


def walking(k: int) -> PoseSample:
    return replace(SAMPLE, stamp=k / 100, position=np.array([0.01 * k, 0.0, 1.0]))


def walked(last: int = 100) -> StateEstimator:
    estimator = StateEstimator()
    assert all(estimator.update(walking(k)) for k in range(last))
    return estimator


def test_frozen_poses_are_refused_until_they_thaw() -> None:
    """Fresh stamps do not help: a driver that has lost the body sends its last pose on."""
    estimator = walked()
    frozen = [estimator.update(replace(walking(99), stamp=k / 100)) for k in range(100, 130)]
    assert not any(frozen) and "frozen" in estimator.complaint
    assert estimator.age(1.3) == pytest.approx(0.31)
    assert estimator.update(walking(130)) and estimator.complaint == ""
    assert StateEstimator(EstimatorConfig(frozen_poses=True)).update(SAMPLE)


@pytest.mark.parametrize(("shift", "turn"), [([0.6, 0.0, 0.0], 0.0), ([0.0, 0.0, 0.0], 2.0)])
def test_jumps_are_refused_and_do_not_move_the_estimate(shift: list[float], turn: float) -> None:
    estimator, twin = walked(), walked()
    turned = quaternion_from_rotation_vector(np.array([0.0, 0.0, turn]))
    for k in range(100, 120):
        jumped = replace(walking(k), position=walking(k).position + shift, quaternion=turned)
        assert not estimator.update(jumped) and "jumped" in estimator.complaint
    assert estimator.update(walking(120)) and twin.update(walking(120))
    ours, theirs = estimator.estimate(1.2), twin.estimate(1.2)
    assert ours is not None and theirs is not None and np.array_equal(ours.position, theirs.position)


def test_a_pose_that_stays_where_it_jumped_to_is_believed_in_the_end() -> None:
    estimator = walked()
    taken = [
        estimator.update(replace(walking(k), position=walking(k).position + [2.0, 0.0, 0.0]))
        for k in range(100, 210)
    ]
    assert taken.index(True) == pytest.approx(100, abs=1) and all(taken[101:])
    seen = estimator.estimate(2.1)
    assert seen is not None and seen.position[0] == pytest.approx(4.1, abs=0.05)


def test_what_a_drone_can_do_in_a_silence_is_no_jump() -> None:
    estimator = walked()
    back = replace(walking(130), position=np.array([0.4, 0.0, 1.0]))
    assert estimator.update(back), "0.8 m off the prediction after 0.3 s of silence: it braked and turned"


def test_stands_still_when_poses_stop() -> None:
    estimator = StateEstimator()
    for k in range(100):
        estimator.update(replace(SAMPLE, stamp=k / 100, position=np.array([k / 100, 0.0, 0.0])))
    soon, late = estimator.estimate(0.99 + 0.2), estimator.estimate(5.0)
    assert soon is not None and late is not None
    assert np.allclose(soon.position, late.position)
    assert late.age == pytest.approx(4.01)


finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.floats(allow_nan=True, allow_infinity=True)
samples = st.builds(
    lambda stamp, number, position, quaternion: PoseSample(
        stamp, number, np.array(position), np.array(quaternion)
    ),
    st.one_of(st.floats(0.0, 10.0), finite, anything),
    st.integers(0, 1000),
    st.lists(st.one_of(st.floats(-2.0, 2.0), anything), min_size=3, max_size=3),
    st.one_of(
        st.lists(anything, min_size=4, max_size=4),
        st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).map(
            lambda q: list(np.array(q) / (np.linalg.norm(q) + 1e-9))
        ),
    ),
)


@given(st.lists(samples, max_size=30), finite)
def test_never_tells_anything_that_is_not_finite(stream: list[PoseSample], ahead: float) -> None:
    estimator, newest = StateEstimator(), -np.inf
    for sample in stream:
        if estimator.update(sample):
            newest = sample.stamp
    seen = estimator.estimate(newest + np.clip(ahead, -1e6, 1e6)) if np.isfinite(newest) else None
    if seen is not None:
        for value in (seen.position, seen.velocity, seen.acceleration, seen.quaternion, seen.omega):
            assert np.all(np.isfinite(value))
        assert np.isclose(np.linalg.norm(seen.quaternion), 1.0)
