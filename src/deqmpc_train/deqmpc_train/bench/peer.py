"""What a peer of the benchmark is: a name and a way to prepare calls that solve problems."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.testing import Problems

MODES = ("forward", "gauss_newton", "exact")  # the latter two with the backward pass to start and waypoints
Run = Callable[[], tuple[Tensor, Tensor]]


class NotSupported(ConfigError):
    """A peer cannot pose this problem; the message is the row's note."""


class Peer(NamedTuple):
    """name; prepare(problems, mode) -> a call that solves them all and returns x (B, T+1, n), u (B, T, m).

    prepare raises ConfigError where the peer lacks something. at_most: how many problems one timed call
    takes, for peers that solve them one after the other (their time a problem does not depend on the batch).
    compiles: a first call may compile, so it is no measurement.
    """

    name: str
    prepare: Callable[[Problems, str], Run]
    at_most: int | None = None
    compiles: bool = False


class Absent(NamedTuple):
    """A peer that is not there, and why."""

    name: str
    reason: str
