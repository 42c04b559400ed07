import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deqmpc_sim.firmware.planner import HighLevelPlanner, PlannerState

metres = st.floats(-3.0, 3.0)
points = st.tuples(metres, metres, metres)


@given(points, points, points, st.floats(-9.0, 9.0), st.floats(0.5, 8.0), st.booleans())
def test_go_to_joins_the_told_state_to_rest_at_the_goal(
    start, velocity, goal, yaw, duration, relative
) -> None:
    planner = HighLevelPlanner()
    planner.tell(start, velocity, 1.0)
    planner.go_to(goal, yaw, duration, relative, 2.0)
    first, last = planner.evaluate(2.0), planner.evaluate(2.0 + duration)
    np.testing.assert_allclose(first.position, start, atol=1e-9)
    np.testing.assert_allclose(first.velocity, velocity, atol=1e-9)
    target = np.add(goal, start) if relative else np.array(goal)
    np.testing.assert_allclose(last.position, target, atol=1e-8)
    np.testing.assert_allclose(np.concatenate([last.velocity, last.acceleration]), 0.0, atol=1e-6)
    wanted = yaw + 1.0 if relative else yaw
    assert (
        abs(math.remainder(last.yaw - wanted, 2 * math.pi)) < 1e-8
        and abs(last.yaw - first.yaw) <= math.pi + 1e-8
    )
    middle, h = 2.0 + 0.4 * duration, 1e-5
    slope = (planner.evaluate(middle + h).position - planner.evaluate(middle - h).position) / (2 * h)
    np.testing.assert_allclose(planner.evaluate(middle).velocity, slope, atol=1e-5)


def test_a_landing_ends_idle_and_is_not_restarted_while_it_lasts() -> None:
    planner = HighLevelPlanner()
    planner.tell((0.0, 0.0, 1.0), (0.0, 0.0, 0.0), 0.0)
    assert (
        planner.land(0.0, 2.0, 0.0) and not planner.land(0.0, 2.0, 0.5) and not planner.takeoff(1.0, 2.0, 0.5)
    )
    assert planner.advance(1.0) is not None and planner.state is PlannerState.LANDING
    assert planner.advance(2.0) is not None and planner.state is PlannerState.IDLE
    assert planner.advance(2.01) is None
