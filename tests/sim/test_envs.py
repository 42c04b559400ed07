"""The environments: gymnasium's rules, seeds, endings, and what a rollout carries."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import load_task, task_names
from deqmpc_core.types import Observation
from deqmpc_sim.envs import episode_starts, gymnasium_id, make_env, roll_out


@pytest.mark.parametrize("name", task_names())
def test_a_hundred_random_steps_stay_finite_and_within_the_spaces(name: str) -> None:
    env = make_env(name, num_envs=2)
    env.action_space.seed(0)
    observation, _ = env.reset(seed=0)
    for _ in range(100):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert observation in env.observation_space
        assert np.isfinite(observation).all() and np.isfinite(reward).all()
        assert not (terminated & truncated).any()
        failed = np.array([why is not None for why in info["failure"]])
        assert (terminated == (failed | (info["success"] & ~truncated))).all()
        assert (info["_failure"] == (terminated | truncated)).all()


@pytest.mark.filterwarnings("ignore:.*Box.*:UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", task_names())
def test_gymnasiums_checker_passes(name: str) -> None:
    env = gymnasium.make(gymnasium_id(name), render_mode="rgb_array")
    check_env(env.unwrapped, skip_render_check=True)
    vector = gymnasium.make_vec(gymnasium_id(name), num_envs=2)
    assert vector.reset(seed=1)[0].shape == (2, *env.observation_space.shape)  # type: ignore[misc]
    assert vector.metadata["autoreset_mode"] is gymnasium.vector.AutoresetMode.NEXT_STEP


def test_the_checker_passes_with_pictures() -> None:
    check_env(gymnasium.make(gymnasium_id("pendulum"), render_mode="rgb_array").unwrapped)


def _falling(num_envs: int, steps: int, seed: Any = 5) -> list[tuple[int, int, np.ndarray]]:
    """(environment, episode number, first observation) of all episodes of crazyflies with motors off."""
    env = make_env("crazyflie", num_envs=num_envs)
    observation, info = env.reset(seed=seed)
    begun = [(b, int(info["episode_number"][b]), observation[b]) for b in range(num_envs)]
    ended = np.zeros(num_envs, dtype=bool)
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(np.zeros((num_envs, 4)))
        assert (reward[terminated | ended] == 0.0).all() and (reward[~(terminated | ended)] > 0.0).all()
        reasons = set(info["failure"][terminated])
        assert reasons <= {"sphere entered", "floor contact", "left the room"}
        again = np.flatnonzero(ended).tolist()
        begun += [(b, int(info["episode_number"][b]), observation[b]) for b in again]
        ended = terminated | truncated
    return begun


def test_episodes_follow_each_other_and_depend_on_seed_and_number_alone() -> None:
    task, begun = load_task("crazyflie"), _falling(3, 40)
    for b in range(3):
        numbers = [n for row, n, _ in begun if row == b]
        assert len(numbers) > 2 and numbers == list(range(b, b + 3 * len(numbers), 3))
    assert all(np.array_equal(first, task.start(5, n)) for _, n, first in begun)
    alone = _falling(3, 20, [7, 8, 7])
    assert all(np.array_equal(first, task.start((7, 8, 7)[b], n)) for b, n, first in alone)
    assert [n for b, n, _ in alone if b == 1][:2] == [0, 1]


def test_resets_without_a_seed_go_on_and_fresh_ones_differ() -> None:
    env, other = make_env("pendulum", 2), make_env("pendulum", 2)
    first, again = env.reset(seed=3)[0], env.reset()[0]
    assert np.array_equal(env.reset(seed=3)[0], first) and np.array_equal(env.reset()[0], again)
    assert not np.array_equal(first, again)
    assert not np.array_equal(other.reset()[0], make_env("pendulum", 2).reset()[0])
    with pytest.raises(ShapeError, match="expected one or 2, got 3"):
        env.reset(seed=[1, 2, 3])


@pytest.mark.parametrize("name", ["pendulum", "cartpole"])
def test_ten_steps_upright_end_an_episode_unless_told_otherwise(name: str) -> None:
    for ends, steps in ((True, 10), (False, 20)):
        env = make_env(replace(load_task(name, ends_at_success=ends), episode_steps=20), num_envs=2)
        env.reset(seed=0)
        env.episodes.x = torch.zeros_like(env.episodes.x)
        env.episodes.x[1, 0 if name == "pendulum" else 1] = 0.2  # falls
        for step in range(1, steps + 1):
            _, _, terminated, truncated, info = env.step(np.zeros((2, 1)))
            assert (terminated[0], truncated[0]) == (ends and step == steps, not ends and step == steps)
        assert info["success"].tolist() == [True, False] and info["failure"].tolist() == [None, None]
        assert info["_success"].tolist() == [True, not ends]


def test_a_step_to_infinity_is_a_failure_and_leaves_the_observation_finite() -> None:
    env = make_env("quadrotor", num_envs=1)
    env.reset(seed=0)
    env.episodes.x[:, 9:] = 1e200
    observation, reward, terminated, _, info = env.step(np.full((1, 4), 14.5))
    assert np.isfinite(observation).all() and reward[0] == 0.0
    assert terminated[0] and info["failure"][0] == "state not finite"


def test_moving_spheres_are_seen_per_environment_and_move_as_the_task_says() -> None:
    task = load_task("qpole_dyn_obs", layout="random")
    env = make_env(task, num_envs=2)
    before, _ = env.reset(seed=4)
    starts, centers = episode_starts(task, 4, [0, 1])
    assert centers is not None
    np.testing.assert_array_equal(before, torch.cat((starts, centers.flatten(1)), 1).numpy())
    after = env.step(np.zeros((2, 4)))[0]
    np.testing.assert_array_equal(after[:, :14], task.step(starts, torch.zeros(2, 4).double()).numpy())
    np.testing.assert_array_equal(after[:, 14:], task.moved(centers, starts).flatten(1).numpy())


def test_wrong_actions_options_and_modes_are_refused() -> None:
    env = make_env("pendulum", num_envs=2)
    env.reset(seed=0)
    with pytest.raises(ShapeError, match=r"\(2, 1\), got \(1,\)"):
        env.step(np.zeros(1))
    with pytest.raises(ConfigError, match="u_max: options go with a task's name"):
        make_env(load_task("pendulum"), u_max=3.0)
    with pytest.raises(ConfigError, match="render_mode: expected one of rgb_array or None, got 'human'"):
        make_env("pendulum", render_mode="human")


class _Still:
    """A policy that never moves and keeps what it saw."""

    config = SimpleNamespace(horizon=7)

    def __init__(self, m: int) -> None:
        self.m, self.seen = m, []

    def initial_state(self, batch: int) -> None:
        """None."""

    def __call__(self, observation: Observation, state: None, iterations: int) -> tuple[Any, None]:
        self.seen.append(observation)
        return SimpleNamespace(u=torch.zeros(len(observation.x), 7, self.m, dtype=torch.float64)), None


def _still(m: int) -> Any:
    policy: Policy = _Still(m)  # type: ignore[assignment]
    return policy


def test_a_rollout_carries_the_spheres_and_shows_their_prediction() -> None:
    task, policy = load_task("qpole_dyn_obs", obstacle_speed=0.5), _still(4)
    starts, centers = episode_starts(task, 0, range(3))
    flight = roll_out(task, policy, starts, 6, centers=centers)
    assert centers is not None and flight.centers is not None and flight.centers.shape == (3, 7, 40, 3)
    for t in range(6):
        assert torch.equal(flight.centers[:, t + 1], task.moved(flight.centers[:, t], flight.states[:, t]))
        seen = policy.seen[t].spheres.center
        assert torch.equal(seen, task.predicted(flight.centers[:, t], flight.states[:, t], 7))
    with pytest.raises(ConfigError, match="pass centers"):
        roll_out(task, policy, starts, 1)
    assert roll_out(load_task("qpole_obs"), policy, starts, 2).centers is None


def test_a_rollout_counts_to_the_end_of_each_episode() -> None:
    task = load_task("pendulum")
    starts = torch.tensor([[0.0, 0.0], [0.01, 0.0], [0.04, 1.0]], dtype=torch.float64)
    flight = roll_out(task, _still(1), starts, 30)
    assert flight.lengths is not None
    rewards = task.reward(flight.states[:, 1:])
    for b, steps in enumerate(flight.lengths.tolist()):
        assert flight.returns[b] == pytest.approx(float(rewards[b, :steps].sum()), abs=1e-12)
    assert flight.lengths.tolist()[0] == 10 and flight.lengths.tolist()[2] == 30
    falling = roll_out(load_task("crazyflie"), _still(4), torch.zeros(1, 12).double(), 30)
    assert falling.lengths is not None and falling.failures[0] is not None
    assert falling.lengths[0] < 30 and falling.returns[0] > 0.0
