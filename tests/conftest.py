"""Fixtures for every package's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REAL_PROCESSES = ("nodes", "session")
"""Folders of tests that start nodes: one after the other, beside the rest."""
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several workers a file's tests stay together, and the longest group comes first."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    items.sort(key=lambda item: item.path.parent.name not in REAL_PROCESSES)
    for item in items:
        together = "processes" if item.path.parent.name in REAL_PROCESSES else str(item.path)
        item.add_marker(pytest.mark.xdist_group(together))


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
