"""The log of frames names every number that was left out, once."""

from hypothesis import given
from hypothesis import strategies as st

from deqmpc_core.flight import FrameLog


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.integers(1, 10))
def test_arrived_and_skipped_make_up_the_count(steps: list[int], every: int) -> None:
    log, number, arrived, skipped = FrameLog(), 0, [], []
    for k, step in enumerate(steps):
        number += step
        arrived.append(number)
        log.took(number)
        if k % every == 0:
            skipped += log.skipped()
    skipped += log.skipped()
    assert sorted(arrived + skipped) == list(range(arrived[0], number + 1))


def test_another_count_is_no_loss() -> None:
    log = FrameLog()
    for number in (5, 1_000_000, 3, 4):
        log.took(number)
    assert log.skipped() == []


def test_the_log_is_bounded_while_nobody_asks() -> None:
    log = FrameLog()
    for number in range(0, 10_000, 3):
        log.took(number)
    assert len(found := log.skipped()) == 1000 and found[-1] == 9_998
