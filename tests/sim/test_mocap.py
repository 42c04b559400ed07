import numpy as np
import pytest

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import conjugate, multiply, rotation_vector_from_quaternion
from deqmpc_sim.firmware import TrueState, TruthConfig
from deqmpc_sim.mocap import Fault, MotionCapture

STILL = TrueState(np.array([1.0, 2.0, 3.0]), np.array([0.6, 0.0, 0.0, 0.8]), np.zeros(3), np.zeros(3))


def watch(mocap: MotionCapture, frames: int) -> list:
    samples = []
    for frame in range(frames):
        mocap.capture(frame / 100, STILL)
        samples += mocap.due(frame / 100)
    return samples


def test_poses_come_after_the_latency_with_the_noise_asked_for() -> None:
    mocap = MotionCapture(TruthConfig(mocap_latency=0.03), (1, 2))
    samples = watch(mocap, 3000)
    assert [sample.frame_number for sample in samples] == list(range(1, 2998))
    assert samples[0].stamp == 0.0
    off = np.array([sample.position for sample in samples]) - STILL.position
    turns = multiply(conjugate(STILL.quaternion), np.array([sample.quaternion for sample in samples]))
    np.testing.assert_allclose(off.std(0), 1e-3, rtol=0.1)
    np.testing.assert_allclose(rotation_vector_from_quaternion(turns).std(0), np.radians(0.2), rtol=0.1)


def test_faults_spoil_their_frames_and_no_others() -> None:
    clean = {sample.frame_number: sample for sample in watch(MotionCapture(TruthConfig(), 5), 100)}
    mocap = MotionCapture(TruthConfig(), 5)
    mocap.silence(0.10, 0.20)
    mocap.add_fault(Fault("freeze", 0.30, 0.40))
    mocap.add_fault(Fault("jump", 0.50, 0.60, (0.5, 0.0, 0.0)))
    mocap.add_fault(Fault("nan", 0.70, 0.80))
    seen = {sample.frame_number: sample for sample in watch(mocap, 100)}
    assert set(clean) - set(seen) == set(range(11, 21))
    assert all(
        (seen[n].position == clean[30].position).all() and seen[n].stamp == clean[n].stamp
        for n in range(31, 41)
    )
    assert all(np.allclose(seen[n].position - clean[n].position, (0.5, 0, 0)) for n in range(51, 61))
    assert all(np.isnan(seen[n].position).all() for n in range(71, 81))
    rest = set(seen) - {n for first in (31, 51, 71) for n in range(first, first + 10)}
    assert all((seen[n].position == clean[n].position).all() for n in rest)


@pytest.mark.parametrize("wrong", [("loud", 0.0, 1.0), ("freeze", 1.0, 1.0)])
def test_a_fault_that_cannot_be_is_refused(wrong: tuple) -> None:
    with pytest.raises(ConfigError):
        Fault(*wrong)
