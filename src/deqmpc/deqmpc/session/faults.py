"""Faults a run can be asked to bring about in mid-flight."""

from collections.abc import Sequence

from deqmpc_core.errors import UnknownNameError

KILLED = {"policy_killed": "policy", "commander_killed": "commander"}
"""Fault and the process that gets SIGKILL."""
AFTER_STEPS = 30
"""Policy periods flown before the fault strikes."""


def parse_faults(text: str) -> tuple[str, ...]:
    """Names separated by commas; raises UnknownNameError with a hint."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in KILLED:
            raise UnknownNameError("fault", name, KILLED)
    return names


def victims(names: Sequence[str]) -> set[str]:
    """Processes that the faults kill."""
    return {KILLED[name] for name in names}
