"""Writes the table of faults into docs/simulator.md: python tools/fault_table.py."""

from pathlib import Path

from deqmpc.session.faults import markdown
from deqmpc_core.pages import renew

PAGE = Path(__file__).resolve().parents[1] / "docs" / "simulator.md"
PART = "faults"

if __name__ == "__main__":
    renew(PAGE, {PART: markdown() + "\n"})
