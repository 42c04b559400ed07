"""docs/safety.md's table of thresholds is the code's; this file, run as a program, rewrites it."""

import re
from dataclasses import fields
from pathlib import Path

from deqmpc_core.flight import CommanderConfig, FlightPhase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "safety.md"
HEAD = "| parameter | default | range | meaning [unit] |\n|---|---|---|---|\n"


def cell(value: object) -> str:
    return ", ".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value).lower()


def table() -> str:
    rows = []
    for spec in fields(CommanderConfig):
        bounds = spec.metadata["bounds"]
        span = "" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g}"
        rows.append(f"| `{spec.name}` | {cell(spec.default)} | {span} | {spec.metadata['help']} |")
    return HEAD + "\n".join(rows) + "\n"


def test_the_table_is_the_code() -> None:
    page = PAGE.read_text()
    assert page[page.index(HEAD) :] == table(), f"rewrite it: python {Path(__file__).name}"


def test_the_page_names_parameters_and_states_that_exist() -> None:
    text = PAGE.read_text().split(HEAD)[0]
    known = {spec.name for spec in fields(CommanderConfig)} | {phase.name for phase in FlightPhase}
    known |= {"pose_frame", "firmware_mass", "check_firmware", "policy_period"}
    snake = {name for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)}
    assert snake - known <= {"notify_setpoints_stop", "go_to", "deqmpc_commander"}
    assert {name for name in re.findall(r"`([A-Z]{4,})`", text)} == {phase.name for phase in FlightPhase}


if __name__ == "__main__":
    text = PAGE.read_text()
    PAGE.write_text(text.split(HEAD)[0].rstrip() + "\n\n" + table())
