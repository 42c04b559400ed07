"""The rule by which a claim of the paper agrees, and the statistics it is held against."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_train.paper import measured
from deqmpc_train.paper.measured import mean, stacked
from deqmpc_train.paper.rule import Verdict, judged, newcombe, part, student, together, wilson
from deqmpc_train.paper.statistics import ABOVE, UNSTABLE, difference, instability, over_trainings


def test_returns_of_another_sign_than_the_expert_s_are_compared_as_they_are() -> None:
    def told(level: float, done: bool) -> list[dict[str, Any]]:
        values = [level + 0.01 * i for i in range(9)]
        return [{"returns": values, "expert": [2.0] * 9, "success": [done] * 9, "failed": [False] * 9}]

    assert math.isnan(measured.returns(None, told(-3.0, True)).value)
    good, bad = measured.gains(None, told(1.0, True)), measured.gains(None, told(-3.0, False))
    assert good.value == pytest.approx(0.52) and bad.value == pytest.approx(-1.48)
    assert difference("it", good, bad, ABOVE).verdict is Verdict.AGREES
    worse = measured.gains(None, told(-9.0, False))
    assert difference("it", bad, worse, ABOVE).verdict is Verdict.NOISY  # neither ever succeeds
    costs = measured.gains(None, [{**told(-3.0, True)[0], "expert": [-2.0] * 9}])
    assert costs.value == pytest.approx(-1.48)


ENDS = st.tuples(st.floats(-2, 2), st.floats(0, 2)).map(lambda v: (v[0], v[0] + v[1]))


@given(ENDS, ENDS)
@settings(max_examples=60, deadline=None)
def test_a_claim_agrees_inside_differs_outside_and_else_is_too_noisy(span: Any, band: Any) -> None:
    inside = band[0] <= span[0] and span[1] <= band[1]
    apart = span[1] < band[0] or span[0] > band[1]
    expected = Verdict.AGREES if inside else Verdict.DIFFERS if apart else Verdict.NOISY
    assert judged(span, band) is expected
    assert judged((math.nan, math.nan), band) is Verdict.NOISY


@given(
    st.lists(st.sampled_from([(1.0, 2.0), (-2.0, -1.0), (-1.0, 1.0)]), min_size=1, max_size=6),
    st.floats(0.1, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_a_claim_of_parts_holds_if_enough_of_them_do(spans: list[tuple[float, float]], share: float) -> None:
    parts = [part("it", 0.0, span, (0.0, math.inf)) for span in spans]
    verdict = together(parts, share).verdict
    agree, differ = (
        sum(p.verdict is v for p in parts) / len(parts) for v in (Verdict.AGREES, Verdict.DIFFERS)
    )
    assert (verdict is Verdict.AGREES) == (agree >= share - 1e-9 / len(parts))
    assert (verdict is Verdict.DIFFERS) == (1.0 - differ < share - 1e-9 / len(parts))


def test_intervals_are_paired_and_small_samples_say_nothing() -> None:
    rng = np.random.default_rng(0)
    common, one = rng.normal(5.0, 3.0, 100), [1.0] * 100
    a, b = stacked([((common + 0.1).tolist(), one)]), stacked([(common.tolist(), one)])
    low, high = np.quantile(a.draws() - b.draws(), (0.025, 0.975))
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)
    assert a.interval[0] < common.mean() < a.interval[1]
    assert math.isnan(mean([1.0, 2.0, 3.0]).interval[0]) and mean([1.0, 2.0, 3.0]).value == 2.0
    assert math.isnan(mean([]).value)
    assert wilson(0, 200) == pytest.approx((0.0, 0.01885), abs=1e-4)
    assert wilson(1, 3) == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert newcombe(wilson(0, 200), 0.0, wilson(0, 200), 0.0) == pytest.approx((-0.01885, 0.01885), abs=1e-4)
    curve = [{"error": e} for e in (3.0, 1.0, 2.5, 0.5)]
    assert instability({"curve": curve, "stopped": None}) == 2.5
    assert instability({"curve": curve, "stopped": "step 9: loss is not finite"}) == UNSTABLE
    assert student([1.0, 2.0, 3.0]) == pytest.approx((2.0 - 2.484, 2.0 + 2.484), abs=1e-3)
    assert over_trainings("it", [1.0, 2.0], (0.0, 9.0)).verdict is Verdict.NOISY
    assert over_trainings("it", [1.0, 2.0, 3.0], (0.0, 9.0)).verdict is Verdict.NOISY
    assert over_trainings("it", [1.0, 1.2, 1.1], (0.0, 9.0)).verdict is Verdict.AGREES
