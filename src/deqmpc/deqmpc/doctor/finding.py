"""One line of the doctor's report."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Level(Enum):
    """How bad it is; the value is the word that is shown."""

    OK = "ok"
    SKIPPED = "skipped"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """check: what was looked at. text: what was found. remedy: what to do, empty where all is well."""

    check: str
    level: Level
    text: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """The entry in the report's file."""
        return {"check": self.check, "level": self.level.value, "text": self.text, "remedy": self.remedy}


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, text)


def skipped(check: str, text: str, remedy: str = "") -> Finding:
    """Could not be looked at, and why."""
    return Finding(check, Level.SKIPPED, text, remedy)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Works, but not as it should."""
    return Finding(check, Level.WARNING, text, remedy)


def error(check: str, text: str, remedy: str) -> Finding:
    """Does not work."""
    return Finding(check, Level.ERROR, text, remedy)


def report(findings: Iterable[Finding]) -> dict[str, Any]:
    """The document of `--json`: every line, and how many there are of each level."""
    lines = [finding.to_json() for finding in findings]
    counts = {level.value: sum(line["level"] == level.value for line in lines) for level in Level}
    return {"sound": counts["error"] == 0, "counts": counts, "findings": lines}
