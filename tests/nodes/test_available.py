"""Says what is missing where the tests of this folder cannot run."""

import importlib.util

import pytest

from tests.nodes.sim import NEEDED


@pytest.mark.parametrize("name", NEEDED)
def test_ros_and_messages_are_here(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"'{name}' is not installed (make build): the tests of nodes do not run")
