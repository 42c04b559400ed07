"""Every error a user can meet, one class per failing concept; each message says what was expected, what
came, what to do."""

import difflib
from collections.abc import Iterable

INTERRUPTED = 130
"""Exit status of a command that the user stopped."""


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most like this one, with a semicolon in front; empty where none is."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


class DeqmpcError(Exception):
    """Base of all errors of the project. status: the exit status of a command that it ends, 1 for a failure,
    2 for a wrong use of the command."""

    status = 1


class ShapeError(DeqmpcError, ValueError):
    """A tensor of the wrong shape, dtype or device; names expected and received."""


class ConfigError(DeqmpcError, ValueError):
    """An option, parameter or file that does not fit; names the key and the remedy."""

    status = 2


class BundleError(DeqmpcError, ValueError):
    """A policy bundle that is missing, corrupt or made for something else."""


class NoBundleError(BundleError):
    """No policy bundle of that name; the message hints at the nearest one."""

    status = 2


class DataError(DeqmpcError, ValueError):
    """A data set or recording that cannot be used; names file, episode and column."""


class TrainingError(DeqmpcError, RuntimeError):
    """Training that cannot go on; names the tensor, the step and the file that holds the batch."""


class JobError(DeqmpcError, RuntimeError):
    """Jobs of a sweep that failed; names each and the file that says why."""


class TransitionError(DeqmpcError, RuntimeError):
    """A node's transition (configure, activate, ...) that was refused or did not come to its end."""


class UnknownNameError(DeqmpcError, KeyError):
    """A name that is not registered; the message hints at the nearest one."""

    status = 2

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        hint = near(name, known)
        self.message = f"unknown {kind} '{name}'{hint} (known: {', '.join(known)})"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message
