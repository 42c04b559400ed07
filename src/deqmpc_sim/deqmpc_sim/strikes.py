"""Faults of the simulated outside as data: what can be asked of a world, and when it strikes."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_sim.mocap import Fault, FaultKind

if TYPE_CHECKING:
    from deqmpc_sim.world import World

MOCAP: dict[str, FaultKind] = {
    "mocap_silent": "silence",
    "mocap_frozen": "freeze",
    "mocap_jump": "jump",
    "mocap_nan": "nan",
    "mocap_wrong_body": "wrong_body",
    "mocap_reordered": "reorder",
    "clock_step": "clock",
}
"""Kind of a strike and what it does to motion capture."""
RADIO_LOSS, BATTERY, SERVICE_ABSENT, EMERGENCY = "radio_loss", "battery", "service_absent", "emergency"
KINDS = (*MOCAP, RADIO_LOSS, BATTERY, SERVICE_ABSENT, EMERGENCY)
FOR_GOOD = 1e6


@dataclass(frozen=True)
class Strike:
    """One fault. after [s]: when, counted from the moment the policy takes over; negative: at once.
    duration [s]: 0 is for good.

    value: mocap_jump the distance along x [m]; mocap_reordered how many frames late at most; clock_step the
    step [s]; radio_loss the share lost; battery the share of the charge left. target: service_absent the name
    of the service withdrawn (a matter of the node, not of the world).
    """

    kind: str
    after: float = -1.0
    duration: float = 0.0
    value: float = 0.0
    target: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError("fault", self.kind, KINDS)
        if not all(math.isfinite(v) for v in (self.after, self.duration, self.value)) or self.duration < 0.0:
            raise ConfigError(f"fault '{self.kind}': numbers must be finite, duration not negative: {self}")


def apply(strike: Strike, world: "World", begin: float) -> None:
    """Schedule it on the world for [begin, begin + duration) [s]; SERVICE_ABSENT is left to the node."""
    end = begin + (strike.duration or FOR_GOOD)
    if strike.kind in MOCAP:
        offset = (strike.value or 1.0, 0.0, 0.0)
        world.mocap.add_fault(Fault(MOCAP[strike.kind], begin, end, offset, strike.value))
    elif strike.kind == RADIO_LOSS:
        before = world.radio.loss
        world.at(begin, lambda: _set_loss(world, strike.value))
        world.at(end, lambda: _set_loss(world, before))
    elif strike.kind == BATTERY:
        world.at(begin, lambda: setattr(world.drone.battery, "charge", strike.value))
    elif strike.kind == EMERGENCY:
        world.at(begin, world.drone.emergency)


def _set_loss(world: "World", share: float) -> None:
    world.radio.loss = share
