"""Writes docs/simulator.md's tables of faults and parameters: python tools/simulator_page.py [--check]."""

import sys
from pathlib import Path

from deqmpc.session.faults import markdown
from deqmpc_core.pages import renew
from deqmpc_sim.nodes.parameters import table
from deqmpc_sim.nodes.simulator import DECLARED

PAGE = Path(__file__).resolve().parents[1] / "docs" / "simulator.md"


def main(arguments: list[str]) -> int:
    """Write the tables, or with --check tell whether they are up to date (status 1: they are not)."""
    check = "--check" in arguments
    current = renew(PAGE, {"faults": markdown() + "\n", "parameters": table(DECLARED)}, check)
    return int(check and not current)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
