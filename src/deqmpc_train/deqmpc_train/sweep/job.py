"""A job: what is to be computed, in plain values, and the key under which its result is kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from deqmpc_core.errors import ConfigError

_KEY_LENGTH = 16


@dataclass(frozen=True)
class Resources:
    """What a job occupies while it runs. cores: threads it computes with, 0 for a machine of its own (what is
    timed); memory [GiB]; gpus: a share of one, or several."""

    cores: int = 1
    memory: float = 1.5
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.cores < 0 or self.memory <= 0.0 or self.gpus < 0.0:
            raise ConfigError(f"resources: expected cores and gpus from 0, memory above 0, got {self}")


@dataclass(frozen=True, eq=False)
class Job:
    """One computation.

    run: "module:function" of what computes it, given a `Work`. config: all that decides the result, plain
    values. needs: jobs whose results it reads, by role. version: counted up when the same config comes to
    mean another result. The rest decides nothing: name, for people; hints, such as where on this machine
    something lies; resources; work: about how many seconds it takes.
    """

    name: str
    run: str
    config: Mapping[str, Any]
    needs: Mapping[str, "Job"] = field(default_factory=dict)
    version: int = 1
    hints: Mapping[str, Any] = field(default_factory=dict)
    resources: Resources = Resources()
    work: float = 1.0

    @property
    def kind(self) -> str:
        """The function's name."""
        return self.run.rpartition(":")[2]

    @cached_property
    def key(self) -> str:
        """Digest of all that decides the result: equal configurations of equal needs have equal keys."""
        return hashlib.sha256(self.described().encode()).hexdigest()[:_KEY_LENGTH]

    def described(self) -> str:
        """What the key is the digest of, as JSON. Raises ConfigError for values that JSON does not keep."""
        needs = {role: job.key for role, job in self.needs.items()}
        told = {"run": self.run, "version": self.version, "config": self.config, "needs": needs}
        return canonical(told)


def canonical(values: Mapping[str, Any]) -> str:
    """JSON that is the same for equal values, whatever the order of their names."""
    _check(values, "")
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check(value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"job config: expected names as text, got {name!r} in '{where}'")
            _check(inner, f"{where}.{name}" if where else name)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, where)
    elif not isinstance(value, str | int | float | bool | None) or value != value or value in _INFINITE:
        raise ConfigError(
            f"job config: '{where}' is {value!r}; expected finite numbers, text, lists or names of these"
        )


_INFINITE = (float("inf"), float("-inf"))
