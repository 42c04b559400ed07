"""What is shown from which message, without ROS and without a browser."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deqmpc.view import shapes
from deqmpc.view.picture import FARTHEST, STEP, TRAIL, Obstacles, Picture
from deqmpc_core.errors import ConfigError

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])
SET = Obstacles(np.arange(9.0).reshape(3, 3), np.array([0.1, 0.2, 0.3]))
NUMBER = st.floats(allow_nan=True, allow_infinity=True)


def test_each_message_says_what_is_new() -> None:
    picture = Picture()
    picture.saw_estimate(np.ones(3), LEVEL)
    assert picture.take_changes() == {"drone", "trail"} and picture.take_changes() == set()
    picture.saw_plan(np.zeros((7, 3)), np.ones((5, 3)), "goal-mpc", 4.0)
    picture.saw_rounds([np.zeros((6, 3))] * 6)
    picture.saw_obstacles(SET.centers, SET.radii)
    assert picture.take_changes() == {"plan", "ticks", "rounds", "obstacles"}
    picture.saw_phase("POLICY", "")
    picture.saw_progress(0.5, math.nan)
    words = picture.words()
    assert "| policy | goal-mpc |" in words and "| rounds | 6 |" in words and "| goal | 0.50 m |" in words
    assert "nearest" not in words and "- POLICY" in words


def test_the_truth_is_shown_where_there_is_one() -> None:
    picture = Picture()
    picture.saw_truth(np.ones(3), LEVEL)
    picture.saw_estimate(np.zeros(3), LEVEL)
    assert picture.position.tolist() == [1.0, 1.0, 1.0]
    picture.saw_truth(np.array([np.nan, 0.0, 0.0]), LEVEL)
    assert np.isfinite(picture.position).all()


def test_a_take_off_begins_a_new_trail() -> None:
    picture = Picture()
    for k in range(TRAIL + 10):
        picture.saw_truth(np.array([2.0 * STEP * k, 0.0, 0.0]), LEVEL)
        picture.saw_truth(np.array([2.0 * STEP * k + 0.1 * STEP, 0.0, 0.0]), LEVEL)
    assert len(picture.trail) == TRAIL, "the oldest are forgotten, and near ones not kept"
    picture.saw_phase("TAKEOFF", "")
    assert not picture.trail


@RELAXED
@given(st.integers(-2, 5), st.lists(NUMBER, min_size=2, max_size=4))
def test_a_drag_goes_to_a_sound_place_or_nowhere(index: int, place: list[float]) -> None:
    sound = 0 <= index < 3 and len(place) == 3 and all(abs(v) <= FARTHEST for v in place)
    if not sound:
        with pytest.raises(ConfigError):
            SET.moved(index, place)
        return
    moved = SET.moved(index, place)
    assert moved.centers[index].tolist() == place
    rest = [k for k in range(3) if k != index]
    assert np.array_equal(moved.centers[rest], SET.centers[rest]) and np.array_equal(moved.radii, SET.radii)


@RELAXED
@given(st.text())
def test_words_of_others_cannot_become_markup(text: str) -> None:
    picture = Picture()
    picture.say(text)
    line = picture.words().rstrip("\n").rpartition("\n- ")[2]
    assert "<" not in line and "|" not in line and "\n" not in line


def test_rounds_become_segments_from_purple_to_blue() -> None:
    parts, colours = shapes.round_segments([np.zeros((6, 3)), np.ones((6, 3)), np.zeros((1, 3))])
    assert parts.shape == (10, 2, 3) == colours.shape
    assert colours[0, 0].tolist() == shapes.EARLY.tolist() and colours[-1, 0, 0] < colours[0, 0, 0]
    assert shapes.segments(np.zeros((1, 3))).shape == (0, 2, 3)
    assert shapes.wxyz(np.array([1.0, 2.0, 3.0, 4.0])) == (4.0, 1.0, 2.0, 3.0)
