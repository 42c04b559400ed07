"""The simulated plant: it passes through the task's start, minds its watchdog, and is judged by the task's
rules."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core import load_policy
from deqmpc_core.flight.control_loop import Source
from deqmpc_core.flight.plants import sphere_centers
from deqmpc_core.tasks import load_task
from deqmpc_sim.control_input import SILENCE, ControlInput
from deqmpc_sim.envs.episodes import episode_starts
from deqmpc_sim.envs.rollout import roll_out
from deqmpc_sim.plant_flight import fly_plant
from deqmpc_sim.plant_referee import PlantReferee
from deqmpc_sim.plant_world import LEAD, PlantWorld

LOW, HIGH, REST = np.array([-2.0, 0.0]), np.array([2.0, 5.0]), np.array([0.0, 1.0])
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
TASKS = ("pendulum", "cartpole", "quadrotor", "qpole", "qpole_obs", "qpole_dyn_obs")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.lists(NUMBERS, max_size=4)), max_size=12))
def test_what_acts_is_within_limits_refusals_are_silence_and_silence_is_rest(messages: list) -> None:
    robot, t, heard, held = ControlInput(LOW, HIGH, REST), 0.0, -math.inf, REST
    for wait, values in messages:
        t += wait
        assert (robot.at(t) == (held if t - heard < SILENCE - 1e-9 else REST)).all()
        sound = len(values) == 2 and all(math.isfinite(value) for value in values)
        assert robot.take(values, t) == sound
        if sound:
            heard, held = t, np.clip(values, LOW, HIGH)
        acting = robot.at(t)
        assert np.isfinite(acting).all() and (acting >= LOW).all() and (acting <= HIGH).all()


@pytest.mark.parametrize("name", TASKS)
def test_the_robot_passes_through_the_task_s_start_and_is_seen_on_its_way(name: str) -> None:
    task = load_task(name)
    world = PlantWorld(task, seed=2, episode=1)
    assert world.control(task.u_hi.numpy())  # nothing acts before the episode begins
    world.advance(LEAD)
    assert (world.x == task.start(2, 1)).all() and not world.referee.controls
    samples = world.take_samples()
    assert [sample.frame_number for sample in samples] == list(range(1, 31))
    assert world.take_samples() == []
    count = len(task.spheres.center) if task.moving and task.spheres is not None else 0
    assert (sphere_centers(samples[-1].poses, count) is not None) == task.moving
    world.advance(LEAD + 2 * task.dt)
    assert len(world.referee.controls) == 2


def test_a_control_acts_until_it_is_old() -> None:
    world = PlantWorld(load_task("pendulum"))
    world.advance(LEAD)
    assert world.control([99.0]) and not world.control([math.nan]) and not world.control([1.0, 2.0])
    world.advance(LEAD + 0.4)
    assert np.array(world.referee.controls)[:, 0].tolist() == [5.0] * 4 + [0.0] * 4
    assert world.input.refused == 2


@pytest.mark.parametrize(("name", "steps"), [("cartpole", 12), ("qpole_obs", 25), ("qpole_dyn_obs", 25)])
def test_the_referee_judges_as_the_batch_environment_does(name: str, steps: int) -> None:
    """The batch environment's own states, failures and ends among them, under the referee's eyes."""
    task = load_task(name)
    starts, centers = episode_starts(task, 0, range(3))
    flight = roll_out(task, load_policy("goal-mpc", task=task), starts, steps, centers=centers)
    for b in range(3):
        referee = PlantReferee(task, starts[b].numpy(), task.obstacles(0, b), steps)
        for x, u in zip(flight.states[b, 1:], flight.actions[b], strict=True):
            if not referee.over:
                referee.observe(x.numpy(), u.numpy())
        result = referee.result()
        assert result.return_ == pytest.approx(float(flight.returns[b]), abs=1e-9)
        assert result.failure == flight.failures[b]
        assert flight.lengths is not None and len(referee.controls) == int(flight.lengths[b])


def test_a_held_goal_ends_the_episode_in_success() -> None:
    task = load_task("pendulum")
    referee, still = PlantReferee(task, np.zeros(2)), np.zeros(2)
    for _ in range(10):
        assert not referee.over and not referee.result().success
        referee.observe(still, np.zeros(1))
    assert referee.over and referee.result().success and math.isnan(referee.distance)
    lost = PlantReferee(task, np.zeros(2))
    lost.end("the policy fell silent")
    assert lost.over and lost.result().failure == "the policy fell silent"
    wild = PlantReferee(task, np.zeros(2))
    wild.observe(np.array([math.nan, 0.0]), np.zeros(1))
    assert wild.over and wild.result().failure and wild.result().return_ == 0.0


def test_the_expert_swings_the_pendulum_up_from_noisy_late_poses() -> None:
    """As in the batch environment, from the same start, within a tenth: noise moves the last knots only."""
    task, policy = load_task("pendulum"), load_policy("expert", task="pendulum")
    flight = fly_plant(task, policy, seed=0, episode=0)
    assert flight.result.success and set(flight.sources) == {Source.PLAN}
    start, _ = episode_starts(task, 0, [0])
    expected = float(roll_out(task, policy, start, task.episode_steps).returns[0])
    assert flight.result.return_ == pytest.approx(expected, rel=0.1)
    assert (flight.error < (0.012, 0.1)).all()
    assert bool(torch.isfinite(torch.from_numpy(flight.controls)).all())
