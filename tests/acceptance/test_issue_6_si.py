"""Acceptance of issue 6, faults: `make accept N=6`.

What was measured is kept under runs/accept-6/<digest of src, models and config>/; remove it to start over.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kept import DEQMPC, FLOWN, ROOT, kept_under, once

from deqmpc.session.faults import FAULTS

pytestmark = pytest.mark.accept

POLICY = "models/crazyflie-deqmpc-deq"


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(6, *FLOWN)


@pytest.fixture(scope="session")
def faults(kept: Path) -> dict[str, Any]:
    """What `deqmpc sim --faults all` wrote, and its status."""

    def fly() -> dict[str, Any]:
        line = [*DEQMPC, "sim", "--policy", POLICY, "--faults", "all", "--json", str(kept / "table.json")]
        status = subprocess.run([*line, "--runs-dir", str(kept / "faults")], cwd=ROOT).returncode
        return {"status": status, **json.loads((kept / "table.json").read_text())}

    return once(kept / "faults.json", fly)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gets_the_answer_demanded(name: str, faults: dict[str, Any]) -> None:
    [row] = [row for row in faults["faults"] if row["fault"] == name]
    assert row["holds"], row["objections"]
    assert row["unsafe_setpoints"] == 0
    assert name == "commander_killed" or (row["longest_gap_s"] <= 0.2 and not row["crash"])


def test_the_status_tells(faults: dict[str, Any]) -> None:
    assert faults["status"] == 0 and faults["holds"]
