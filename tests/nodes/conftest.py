"""Real DDS on this machine, each test in a domain of its own; see test_available where ROS 2 is absent."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.nodes.sim import NEEDED, STEPS, fly

MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
HERE = Path(__file__).parent
collect_ignore = [path.name for path in HERE.glob("test_*.py") if MISSING and path.stem != "test_available"]


@pytest.fixture(scope="session")
def flown(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Two short episodes in lock-step, recorded: the summary and the run's directory."""
    runs = tmp_path_factory.mktemp("runs")
    arguments = ("--speed", "max", "--episodes", "2", "--seed", "3", "--steps", str(STEPS))
    summary = fly(*arguments, "--no-baselines", runs=runs)
    return summary, next(path for path in runs.iterdir() if path.is_dir())
