"""Any message at any handler: nothing raises, nothing unsafe leaves. The million is tests/acceptance's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nodes.wild import HANDLERS, throw


@settings(max_examples=5, deadline=None)
@given(handler=st.sampled_from(sorted(HANDLERS)), seed=st.integers(0, 2**32 - 1))
def test_any_message_at_any_handler(handler: str, seed: int) -> None:
    throw(handler, seed, 60)


@pytest.mark.parametrize("handler", HANDLERS)
def test_setpoints_go_on_meanwhile(handler: str) -> None:
    assert throw(handler, 0, 90, every=3) > 10
