"""Spheres, limits and policies that change in flight; plans at any rate; latency compensation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Estimate, PoseSample, StateEstimator
from deqmpc_core.flight.latency import LatencyCompensation
from deqmpc_core.flight.limits import tightened
from deqmpc_core.flight.obstacle_set import FARTHEST, MOST, REACH, ObstacleSet
from deqmpc_core.flight.pilot import Pilot, PilotConfig
from deqmpc_core.mpc.problem import MAX_SPHERES
from deqmpc_core.mpc.residuals import residuals
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.policies.carry import carried
from deqmpc_core.tasks import load_task

TASK = load_task("crazyflie")
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
OWN_PLAN = PilotConfig(trust=0.0, lost_distance=2.0, lost_angle=3.0, disturbance_gain=0.0)
"""Plans go on from one another, whatever the robot does."""


def at(t: float, position: tuple[float, float, float] = (0.9, 0.0, 1.2)) -> Estimate:
    zero = np.zeros(3)
    return Estimate(t, 0, np.array(position), LEVEL, zero, zero, zero, 0.01)


@pytest.fixture(scope="module")
def goal_mpc():
    return make_policy(PolicyConfig("crazyflie", "goal-mpc"), TASK)


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=40)
@given(
    centers=arrays.arrays(np.float64, st.tuples(st.integers(0, 4), st.just(3)), elements=NUMBERS),
    moving=st.booleans(),
    radii=arrays.arrays(np.float64, st.integers(0, 4), elements=NUMBERS),
    stamp=NUMBERS,
)
def test_a_set_is_sound_or_refused_with_a_sentence(centers, moving, radii, stamp) -> None:
    velocities = centers if moving else np.zeros((0, 3))
    try:
        found = ObstacleSet.checked(centers, velocities, radii, stamp)
    except ConfigError as error:
        assert len(str(error)) > 20
        return
    assert len(found.radii) == len(centers) <= MOST and np.all(found.radii > 0.0)
    assert np.all(np.abs(found.at(np.array([stamp, stamp + 1e9]))) <= FARTHEST + 20.0 * REACH)


def test_as_many_spheres_as_the_kernels_take() -> None:
    assert MOST == MAX_SPHERES
    with pytest.raises(ConfigError, match="drop the farthest"):
        ObstacleSet.checked(np.ones((MOST + 1, 3)), np.zeros((0, 3)), np.array([0.1]), 0.0)


def test_spheres_move_for_a_while_and_stay() -> None:
    moving = ObstacleSet.checked(np.array([[0.0, 0.0, 1.0]]), np.array([[1.0, 0, 0]]), np.array([0.1]), 5.0)
    assert np.allclose(moving.at(np.array([4.0, 5.5, 50.0]))[:, 0, 0], [0.0, 0.5, REACH])
    assert moving.clearance(np.array([[0.5, 0.0, 1.3]]), np.array([5.5])) == pytest.approx(0.2)


@pytest.mark.parametrize("speed", [0.0, 0.1])
def test_the_next_tick_plans_around_new_spheres(goal_mpc, speed: float) -> None:
    """A sphere that comes to lie in the way of a flight under way; then there is none."""

    def flown(obstacles: ObstacleSet) -> float:
        pilot, least = Pilot(goal_mpc, TASK, OWN_PLAN), np.inf
        pilot.obstacles = none
        for k in range(20):
            packet = pilot.tick(at(0.1 * k), 0.1 * k)
            least = min(least, sphere.clearance(packet.x_world[:1], np.array([packet.stamp])))
            pilot.obstacles = obstacles if k > 2 else none
        return least

    none = ObstacleSet(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), 0.0)
    velocity = np.array([[0.0, 0.0, speed]])
    place = np.array([[0.5, 0.02, 1.1 - speed]])
    sphere = ObstacleSet.checked(place, velocity, np.array([0.15]), 0.0)
    assert flown(none) < -0.09
    assert flown(sphere) > 0.0


def test_the_next_tick_keeps_tighter_limits(goal_mpc) -> None:
    pilot = Pilot(goal_mpc, TASK)
    low = (0.9, 0.0, 0.4)
    pilot.tick(at(0.0, low), 0.0)
    assert pilot.plan is not None and pilot.plan.u.max() > 0.1
    pilot.limits = tightened(TASK, 0.09)
    for k in (1, 2, 3):
        pilot.tick(at(0.1 * k, low), 0.1 * k)
    assert pilot.plan.u.max() < 0.0905
    assert tightened(TASK, 0.0) is None
    for wrong in (float("nan"), -0.1, 0.2, 0.06):
        with pytest.raises(ConfigError, match="u_max"):
            tightened(TASK, wrong)


def test_another_policy_goes_on_from_the_plan(goal_mpc) -> None:
    pilot = Pilot(goal_mpc, TASK, OWN_PLAN)
    pilot.obstacles = ObstacleSet(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), 0.0)
    for k in range(3):
        before = pilot.tick(at(0.1 * k), 0.1 * k)
    assert pilot.take_over(make_policy(PolicyConfig("crazyflie", "goal-mpc"), TASK))
    after = pilot.tick(at(0.3), 0.3)
    assert after.fault() is None
    assert np.abs(after.x_world[:3] - before.x_world[1:4]).max() < 0.05, "no jump where the plans overlap"


@pytest.mark.parametrize("horizon", [3, 9])
def test_a_plan_is_cut_or_continued_at_rest_to_another_horizon(goal_mpc, horizon: int) -> None:
    pilot = Pilot(goal_mpc, TASK)
    pilot.tick(at(0.0), 0.0)
    plan = pilot.plan
    assert plan is not None
    other = make_policy(PolicyConfig("crazyflie", "goal-mpc", horizon=horizon), TASK)
    state = carried(other, plan)
    kept = min(horizon, 5)
    assert state.warm.all() and state.solver.x.shape == (1, horizon + 1, 12)
    assert (state.solver.x[:, : kept + 1] == plan.x[:, : kept + 1]).all()
    assert (state.solver.u[:, :kept] == plan.u[:, :kept]).all()
    for knot in state.solver.x[0, kept + 1 :]:
        assert (knot[:3] == plan.x[0, -1, :3]).all() and not knot[3:].any()
    assert (state.solver.u[0, kept:] == TASK.control_reference).all()


def test_without_a_plan_another_policy_starts_cold(goal_mpc) -> None:
    pilot = Pilot(goal_mpc, TASK)
    assert not pilot.take_over(goal_mpc)
    assert pilot.tick(at(0.0), 0.0).fault() is None


@pytest.mark.parametrize("period", [0.1, 0.02, 0.01])
def test_plans_between_knots_are_as_good_as_at_knots(goal_mpc, period: float) -> None:
    """Moved on by the elapsed fraction, one warm round finds what a cold solve finds from the same state;
    moved on by whole knots it leaves more to do."""

    class Hasty:
        solver, task, initial_state = goal_mpc.solver, goal_mpc.task, goal_mpc.initial_state

        def __call__(self, seen, state, iterations=1, knots=1.0):
            return goal_mpc(seen, state, iterations=iterations, knots=1.0)

    def flown(policy) -> tuple[float, float]:
        pilot, apart, left = Pilot(policy, TASK, OWN_PLAN), 0.0, 0.0
        for k in range(20):
            pilot.tick(at(k * period), k * period)
            cold, _ = goal_mpc(pilot.observed, goal_mpc.initial_state(1))
            apart = max(apart, float((cold.x - pilot.plan.x)[..., :3].abs().max()))  # type: ignore[union-attr]
            left = max(left, float(pilot.plan.info.violation[-1]))  # type: ignore[union-attr]
        return apart, left

    apart, left = flown(goal_mpc)
    assert apart < 1e-4
    if period < 0.1:
        assert left < 0.3 * flown(Hasty())[1]


def test_residuals_are_those_of_the_model(goal_mpc) -> None:
    pilot = Pilot(goal_mpc, TASK)
    pilot.tick(at(0.0), 0.0)
    plan = pilot.plan
    assert plan is not None
    x, u = plan.x.clone(), plan.u.clone()
    x[0, 3, 1] += 0.01
    u[0, 2, 0] = TASK.u_hi[0] + 0.02
    found = residuals(goal_mpc.solver, x, u)
    assert found is not None
    model = TASK.system.rk4(x[:, :-1], u, TASK.dt, TASK.substeps)
    assert float(found.dynamics) == pytest.approx(float((model - x[:, 1:]).abs().max()), rel=1e-9)
    assert float(found.limits) == pytest.approx(0.02)


def moving(until: float) -> StateEstimator:
    """Poses of a robot at 1 m/s along x, 100 a second."""
    estimator = StateEstimator()
    for k in range(round(100 * until)):
        wiggle = 1e-6 * (-1) ** k
        estimator.update(PoseSample(k / 100, k, np.array([k / 100 + wiggle, 0.0, 1.0]), LEVEL))
    return estimator


def test_compensation_plans_for_the_time_the_plan_is_out() -> None:
    estimator, t = moving(1.0), 1.04
    on, off = LatencyCompensation("pose_age_and_compute"), LatencyCompensation("none")
    age = LatencyCompensation()
    age.took(0.03)
    for _ in range(60):
        on.took(0.03)
        off.took(0.03)
    ahead, behind = on.look(estimator, t), off.look(estimator, t)
    assert ahead is not None and behind is not None
    assert ahead.stamp == pytest.approx(1.07, abs=1e-4) and behind.stamp == t
    assert ahead.position[0] == pytest.approx(1.07, abs=5e-3)
    assert behind.position[0] == pytest.approx(0.99, abs=5e-3) and behind.age == pytest.approx(0.05)
    seen = age.look(estimator, t)
    assert seen is not None and seen.stamp == t and seen.position[0] == pytest.approx(1.04, abs=5e-3)
    with pytest.raises(ConfigError, match="latency_compensation must be one of"):
        LatencyCompensation("always")
    on.took(100.0)
    assert on.expected < 0.06, "a stall is not planned for"
    assert LatencyCompensation().look(StateEstimator(), 0.0) is None


def test_deviations_are_taken_over_at_one_pace(goal_mpc) -> None:
    """Ten hertz or fifty: after 0.2 s beside the plan, the plans' starts have moved alike."""

    def moved(period: float) -> np.ndarray:
        pilot = Pilot(make_policy(PolicyConfig("crazyflie", "hover"), TASK), TASK)
        first = pilot.tick(at(0.0), 0.0)
        for k in range(1, round(0.2 / period) + 1):
            packet = pilot.tick(at(k * period, (0.9, 0.1, 1.2)), k * period)
        return packet.x_world[0] - first.x_world[0]

    slow, fast = moved(0.1), moved(0.02)
    assert slow[1] == pytest.approx(0.036, abs=4e-3)
    assert fast[1] == pytest.approx(slow[1], abs=6e-3)
