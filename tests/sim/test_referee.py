import math

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike

from deqmpc_core.tasks.crazyflie import segment_distance
from deqmpc_sim.firmware import TrueState
from deqmpc_sim.referee import Referee, _clearance

GOAL = np.array([0.0, 0.0, 1.0])
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


def at(position: ArrayLike, quaternion: ArrayLike = LEVEL, contact: bool = False) -> TrueState:
    return TrueState(
        np.array(position, dtype=float), np.array(quaternion, dtype=float), np.zeros(3), np.zeros(3), contact
    )


def watch(referee: Referee, states, begin: float = 3.0) -> None:
    """Observe states (index of the 2 ms step -> state) for 20 s."""
    referee.begin(begin, states(0))
    for step in range(1, 10001):
        referee.observe(begin + step * 0.002, states(step))


def test_hovering_at_the_goal_earns_every_reward_and_success(task) -> None:
    referee = Referee(task)
    watch(referee, lambda step: at(GOAL))
    referee.end()
    result = referee.result()
    best = float(task.reward(torch.zeros(12, dtype=torch.float64)))
    assert result.success and result.failure is None and result.steps == 200
    assert result.return_ == pytest.approx(200 * best) and result.mean_distance == 0.0
    centers = task.spheres.center.numpy()
    assert result.min_obstacle_distance == pytest.approx(np.linalg.norm(centers, axis=1).min() - 0.1)


def test_success_asks_for_the_last_five_seconds_not_for_an_instant(task) -> None:
    late = Referee(task)
    watch(late, lambda step: at(GOAL + (0.0, 0.0, 0.3 if step < 9000 else 0.0)))
    assert not late.result().success and late.result().failure is None
    assert (
        late.result().mean_distance == pytest.approx(0.3 * 3 / 5, abs=1e-3)
        and late.result().final_distance == 0.0
    )


def test_a_sphere_crossed_between_two_samples_counts_and_stops_the_rewards(task) -> None:
    center = task.spheres.center.numpy()[0] + GOAL
    before, after = center + (0.0, 0.101, 0.0), center - (0.0, 0.101, 0.0)
    referee = Referee(task)
    watch(referee, lambda step: at(before if step < 1000 else after))
    result = referee.result()
    assert result.failure == "sphere entered" and not result.success
    assert result.steps == 19 and result.min_obstacle_distance <= -0.099


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (at((1.9, 0, 1)), "left the room"),
        (at(GOAL, (math.sin(math.radians(41)), 0, 0, math.cos(math.radians(41)))), "tilt above 80 degrees"),
        (at((0, 0, 0.015), LEVEL, True), "floor contact"),
        (at((math.nan, 0, 1)), "state not finite"),
    ],
)
def test_each_failure_has_its_reason(task, bad: TrueState, reason: str) -> None:
    spheres = task.spheres._replace(radius=0.0)
    referee = Referee(type(task)(**{**vars(task), "spheres": spheres}))
    referee.begin(0.0, at(GOAL))
    referee.observe(0.002, bad)
    assert referee.result().failure == reason and math.isfinite(referee.result().return_)


def test_a_flight_cut_short_fails_with_its_reason(task) -> None:
    referee = Referee(task)
    referee.begin(0.0, at(GOAL))
    for step in range(1, 601):
        referee.observe(step * 0.002, at(GOAL))
    referee.end("plans are late")
    referee.observe(1.3, at(GOAL))
    assert referee.result().failure == "policy flight ended after 1.2 s of 20.0 s: plans are late"
    assert referee.result().steps == 12 and math.isnan(referee.result().mean_distance)


def test_clearance_is_the_segments_distance(task) -> None:
    rng = np.random.default_rng(0)
    centers = np.ascontiguousarray(task.spheres.center.numpy())
    for _ in range(200):
        a, b = rng.uniform(-1.5, 1.5, (2, 3))
        expected = segment_distance(centers, a, b).min() - 0.1
        assert _clearance(a, b, centers, np.full(40, 0.1)) == pytest.approx(expected, abs=1e-12)
