import subprocess
import sys

import numpy as np
import pytest

from deqmpc_core.errors import ConfigError
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.world import World


def trace(task, seed: int, episode: int, period: float) -> list[bytes]:
    world = World(task, TruthConfig(), seed, episode)
    seen = []
    for tick in range(1, round(3.0 / period) + 1):
        if world.time == 0.5:
            world.drone.takeoff(1.0, 1.5)
        world.advance(tick * period)
        seen += [sample.position.tobytes() + sample.quaternion.tobytes() for sample in world.take_poses()]
    return [*seen, *(part.tobytes() for part in world.truth[:4])]


def test_a_flight_follows_from_seed_and_episode_and_not_from_the_step_of_the_caller(task) -> None:
    first = trace(task, 1, 2, 0.02)
    assert first == trace(task, 1, 2, 0.02) == trace(task, 1, 2, 0.002)
    assert first != trace(task, 1, 3, 0.02) and first != trace(task, 2, 2, 0.02)


def test_poses_are_published_on_time_and_fed_on_board(task) -> None:
    world = World(task, TruthConfig(mocap_latency=0.02), 0, 0)
    assert world.take_poses() == [] and world.frame_number == 0
    world.advance(0.1)
    poses = world.take_poses()
    assert [pose.stamp for pose in poses] == pytest.approx(np.arange(9) / 100) and world.frame_number == 9
    assert world.take_poses() == []
    world.advance(0.3)
    np.testing.assert_allclose(world.drone.estimate.position, world.truth.position, atol=3e-3)
    np.testing.assert_allclose(world.truth.position[:2], world.start[:2], atol=1e-6)
    with pytest.raises(ConfigError, match="go back"):
        world.advance(0.1)


def test_a_whole_flight_is_judged(task, airborne, flying, holding) -> None:
    world = airborne()
    flying(world, 1.0, holding)
    world.begin_policy(steps=60)
    flying(world, 6.0, holding)
    world.end_policy()
    assert world.result().success and world.result().steps == 60


def test_the_firmware_needs_neither_torch_nor_ros() -> None:
    load = "import sys, deqmpc_sim.firmware, deqmpc_sim.mocap"
    check = "assert not {'torch', 'rclpy', 'gymnasium'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{load}; {check}"], check=True)
