"""Fixtures for every package's tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


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
