"""Writes the table of faults into docs/simulator.md, between its two marks: python tools/fault_table.py."""

import sys
from pathlib import Path

from deqmpc.session.faults import markdown

PAGE = Path(__file__).resolve().parents[1] / "docs" / "simulator.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->"


def main() -> int:
    """Replace what stands between the marks."""
    text = PAGE.read_text()
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        sys.stderr.write(f"{PAGE}: the marks {BEGIN.strip()} and {END} are missing\n")
        return 1
    new = PAGE.with_suffix(".new")
    new.write_text(f"{head}{BEGIN}{markdown()}\n{END}{tail}")
    new.replace(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
