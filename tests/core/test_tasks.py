"""The rules of the tasks."""

import numpy as np
import pytest
import torch

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.tasks import load_task
from deqmpc_core.tasks.crazyflie import segment_distance, tilt
from deqmpc_sim.envs import make_env


def test_layout_and_starts_follow_the_rules() -> None:
    task = load_task("crazyflie")
    assert task.spheres is not None
    centers = task.spheres.center.numpy()
    assert centers.shape == (40, 3)
    assert np.linalg.norm(centers, axis=1).min() >= 0.35
    for episode in range(40):
        start = task.start(0, episode)
        assert (np.abs(start[:2]) <= 1.4).all() and 0.3 <= start[2] + 1.0 <= 1.7
        assert np.linalg.norm(start[:3]) >= 0.8
        assert np.linalg.norm(centers - start[:3], axis=1).min() >= 0.25
        blocked = segment_distance(centers, start[:3], np.zeros(3)).min() < 0.10
        assert blocked or episode % 2 == 0
    assert np.array_equal(task.start(3, 4), task.start(3, 4))


def test_failure_sees_the_swept_path_not_only_its_ends() -> None:
    task = load_task("crazyflie")
    assert task.spheres is not None
    center = task.spheres.center[0]
    before, after = torch.zeros(12).double(), torch.zeros(12).double()
    before[:3], after[:3] = center - torch.tensor([0.2, 0, 0]), center + torch.tensor([0.2, 0, 0])
    assert task.failure(before, after) == "sphere entered"
    after[0] = torch.nan
    assert task.failure(before, after) == "state not finite"


def test_tilt_of_a_quarter_turn() -> None:
    assert tilt(np.array([np.tan(np.pi / 8), 0.0, 0.0])) == pytest.approx(np.pi / 2)
    assert tilt(np.array([0.0, 0.0, 0.7])) == pytest.approx(0.0)


def test_reward_is_best_at_the_goal_and_matches_the_printed_numbers() -> None:
    task = load_task("crazyflie")
    x = torch.zeros(2, 12, dtype=torch.float64)
    x[1, 0] = 1.0
    reward = task.reward(x)
    assert reward[0] == pytest.approx(np.exp(2.0))
    assert reward[1] == pytest.approx(np.exp(2.0 - 0.25))


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'crazyflie'"):
        load_task("crazyfly")
    with pytest.raises(ConfigError, match="obstacle_raduis"):
        load_task("crazyflie", obstacle_raduis=0.2)


def test_vector_environment_resets_ended_episodes_by_themselves() -> None:
    env = make_env("crazyflie", num_envs=3)
    first, _ = env.reset(seed=1)
    again, _ = env.reset(seed=1)
    assert np.array_equal(first, again)
    ended = np.zeros(3, dtype=bool)
    for _ in range(100):
        observation, reward, failed, truncated, _ = env.step(np.zeros((3, 4)))  # motors off: it falls
        assert np.isfinite(observation).all() and np.isfinite(reward).all()
        ended |= failed | truncated
    assert ended.all()
