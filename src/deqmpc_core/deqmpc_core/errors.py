"""Every error a user can meet, one class per failing concept; each message says what was expected, what
came, what to do."""

import difflib
from collections.abc import Iterable


class DeqmpcError(Exception):
    """Base of all errors of the project."""


class ShapeError(DeqmpcError, ValueError):
    """A tensor of the wrong shape, dtype or device; names expected and received."""


class ConfigError(DeqmpcError, ValueError):
    """An option, parameter or file that does not fit; names the key and the remedy."""


class BundleError(DeqmpcError, ValueError):
    """A policy bundle that is missing, corrupt or made for something else."""


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

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        self.message = f"unknown {kind} '{name}'{hint} (known: {', '.join(known)})"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message
