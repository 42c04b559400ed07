import math

from hypothesis import given
from hypothesis import strategies as st

from deqmpc_core.flight.leap import GIVE_UP, SLACK, LeapFilter

STEPS = st.lists(st.tuples(st.floats(0.001, 0.1), st.floats(-1.0, 1.0)), min_size=1, max_size=30)


@given(STEPS)
def test_what_flies_slower_passes_and_one_leap_costs_one_pose(steps: list[tuple[float, float]]) -> None:
    fast, t, x = LeapFilter(10.0), 0.0, 0.0
    assert fast.passes(t, (x, 0.0, 1.0))
    for dt, share in steps:
        t, x = t + dt, x + 9.9 * dt * share
        assert not fast.passes(t, (x + 10.0 * dt + 9.9 * dt + SLACK + 0.01, 0.0, 1.0))
        assert fast.passes(t, (x, 0.0, 1.0))


def test_a_body_that_stays_away_is_believed_again() -> None:
    leaps = LeapFilter(10.0)
    assert leaps.passes(0.0, (0.0, 0.0, 1.0))
    times = [0.01 * k for k in range(1, 60)]
    passed = [leaps.passes(t, (30.0, 0.0, 1.0)) for t in times]
    assert math.isclose(times[passed.index(True)], GIVE_UP) and all(passed[passed.index(True) :])
    assert leaps.passes(0.1, (0.0, 0.0, 0.0)), "time ran backwards"
    assert LeapFilter(0.0).passes(0.0, (0.0,) * 3) and LeapFilter(0.0).passes(0.01, (99.0, 0.0, 0.0))
