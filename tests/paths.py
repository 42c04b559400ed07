"""Where tests find material that a user does not have."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_data(name: str) -> Path:
    """A published data file beside the project, or a skip that says what is missing."""
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"published data '{name}' is not at hand (looked in {path.parent})")
    return path
