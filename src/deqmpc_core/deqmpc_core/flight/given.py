"""What a phase of the flight cannot be without."""

from typing import TypeVar

Thing = TypeVar("Thing")


def given(thing: Thing | None, what: str) -> Thing:
    """The thing; raises RuntimeError, a mistake of ours, where there is none."""
    if thing is None:
        raise RuntimeError(what)
    return thing
