"""The gate hands out exactly the frames of each step, whatever the order in which topics arrive."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from deqmpc_core.flight import PoseSample
from deqmpc_policy_node.lock_step import StepGate

PERIOD = 20_000_000


def _frame(number: int) -> PoseSample:
    return PoseSample(number / 100.0, number, np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def _episode(first_frame: int, steps: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Two frames a step from the second step on; the steps as (stamp, last frame number)."""
    marks = [(k * PERIOD, first_frame - 1 + 2 * k) for k in range(steps)]
    return list(range(first_frame, first_frame + 2 * (steps - 1))), marks


@given(steps=st.integers(2, 20), frames_first=st.booleans())
def test_every_frame_comes_once_and_with_its_step(steps: int, frames_first: bool) -> None:
    gate, taken = StepGate(), []
    frames, marks = _episode(1, steps)
    pending = list(frames)
    for stamp, last in marks:
        due = [pending.pop(0) for _ in range(sum(1 for f in pending if f <= last))]
        if not frames_first:
            gate.on_step(stamp, last)
            assert gate.complete() is None or not due
        for number in due:
            gate.on_frame(number, _frame(number))
        if frames_first:
            gate.on_step(stamp, last)
        step, samples = gate.take()
        assert (step.stamp, step.first) == (stamp, stamp == 0)
        taken += [(step.stamp, s.frame_number) for s in samples]
    assert [number for _, number in taken] == frames


def test_a_restart_of_time_drops_the_frames_of_the_old_episode() -> None:
    gate = StepGate()
    gate.on_step(0, 0)
    gate.take()
    for number in (1, 2, 3):
        gate.on_frame(number, _frame(number))
    gate.on_step(PERIOD, 2)
    gate.take()
    gate.on_step(0, 3)
    step, samples = gate.take()
    assert step.first and samples == []
    gate.on_frame(4, _frame(4))
    gate.on_step(PERIOD, 4)
    step, samples = gate.take()
    assert not step.first and [s.frame_number for s in samples] == [4]


def test_a_late_joiner_starts_at_the_step_it_sees() -> None:
    gate = StepGate()
    gate.on_step(500 * PERIOD, 1000)
    step, samples = gate.take()
    assert step.first and samples == []


def test_the_first_step_of_an_episode_is_told_even_when_it_was_overtaken() -> None:
    gate = StepGate()
    numbers = list(range(1, 7))
    random.Random(0).shuffle(numbers)
    gate.on_step(0, 0)
    for number in sorted(numbers):
        gate.on_frame(number, _frame(number))
    gate.on_step(PERIOD, 6)
    step, samples = gate.take()
    assert step.first and [s.frame_number for s in samples] == [1, 2, 3, 4, 5, 6]


def test_frames_without_our_body_hold_nothing_up() -> None:
    gate = StepGate()
    gate.on_step(0, 0)
    gate.take()
    gate.on_frame(1, None)
    gate.on_step(PERIOD, 1)
    assert gate.take()[1] == []
