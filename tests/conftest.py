"""Fixtures for every package's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start nodes take longest, so they come first: of two workers none is left with them."""
    items.sort(key=lambda item: item.path.parent.name != "nodes")


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Finds a published data file beside the project; skips, saying what is missing, where it is not at
    hand."""

    def find(name: str) -> Path:
        path = SHARED / "data" / name
        if not path.exists():
            pytest.skip(f"published data '{name}' is not at hand (looked in {path.parent})")
        return path

    return find


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A free ROS domain, in the environment of this process and its children."""
    from deqmpc.session.domain import take_domain

    taken = take_domain(None)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(taken.number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    yield taken.number
    taken.release()
