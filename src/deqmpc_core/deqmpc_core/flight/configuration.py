"""What a flight is made of: its phases, the request that starts it, and the commander's numbers."""

from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.trajectory import WIRE_LIMIT


class FlightPhase(Enum):
    """Where a flight stands; the value is the sentence a user reads."""

    IDLE = "on the ground, waiting for a request or for poses"
    TAKEOFF = "taking off"
    GOTO = "flying to the start and settling there"
    POLICY = "the policy flies"
    LANDING = "landing"
    LANDED = "landed"
    FAULT = "given up: reset before the next flight"


FLYING = (FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY)


@dataclass(frozen=True)
class FlightRequest:
    """Fly to start (3,) world [m], hand over to the policy for policy_steps periods of policy_period [s],
    land."""

    start: Array
    policy_steps: int
    policy_period: float

    def check(self) -> None:
        """Raise ConfigError when the request cannot be flown."""
        if np.shape(self.start) != (3,) or not np.all(np.isfinite(self.start)):
            raise ConfigError(f"start must be three finite numbers [m], got {self.start}")
        if np.max(np.abs(self.start)) > WIRE_LIMIT or self.start[2] <= 0.0:
            raise ConfigError(f"start must lie above the floor and within {WIRE_LIMIT} m, got {self.start}")
        if self.policy_steps < 1 or not 0.0 < self.policy_period <= 1.0:
            raise ConfigError(
                "policy_steps must be at least 1 and policy_period in (0, 1] s, "
                f"got {self.policy_steps} and {self.policy_period}"
            )


def number(default: Any, help: str, low: float, high: float) -> Any:
    """A config field whose metadata describes the ROS parameter that sets it; check() enforces the range."""
    return field(default=default, metadata={"help": help, "bounds": (low, high)})


def check(config: Any) -> None:
    """Raise ConfigError when a field made by number() is outside its range."""
    for spec in fields(config):
        low, high = spec.metadata["bounds"]
        value = getattr(config, spec.name)
        if not low <= value <= high:
            raise ConfigError(
                f"{spec.name} ({spec.metadata['help']}) must be in [{low}, {high}], got {value}"
            )


@dataclass(frozen=True)
class CommanderConfig:
    """The commander's numbers; each field's metadata holds its help text and its range."""

    rate: float = number(50.0, "ticks a second [Hz]", 10.0, 200.0)
    lookahead: float = number(0.0, "how far ahead on the plan position and velocity are read [s]", 0.0, 0.5)
    feedforward_lookahead: float = number(
        0.15, "how far ahead on the plan the acceleration is read [s]", 0.0, 0.5
    )
    pose_timeout: float = number(0.5, "land when the newest pose is older [s]", 0.02, 5.0)
    plan_timeout: float = number(0.5, "land when the newest plan is older [s]", 0.02, 5.0)
    first_pose_timeout: float = number(10.0, "give up when no pose has come after a request [s]", 0.1, 60.0)
    first_plan_timeout: float = number(5.0, "land when no first plan has come at the start [s]", 0.1, 60.0)
    ready_time: float = number(
        1.0, "poses come this long before take-off, so that the robot's own estimate settles [s]", 0.0, 10.0
    )
    takeoff_height: float = number(0.5, "absolute height to rise to [m]", 0.1, 3.0)
    takeoff_duration: float = number(2.0, "time to rise [s]", 0.5, 10.0)
    takeoff_tolerance: float = number(0.1, "take-off is done this near to its height [m]", 0.01, 1.0)
    takeoff_limit: float = number(5.0, "land when take-off takes this much longer [s]", 0.5, 30.0)
    goto_speed: float = number(0.5, "mean speed to the start [m/s]", 0.05, 2.0)
    goto_duration: float = number(1.5, "shortest time to the start [s]", 0.5, 10.0)
    settle_distance: float = number(0.05, "at the start when nearer than this [m]", 0.005, 0.5)
    settle_speed: float = number(0.1, "at the start when slower than this [m/s]", 0.01, 1.0)
    settle_time: float = number(0.5, "the policy takes over after so long at the start [s]", 0.0, 10.0)
    settle_limit: float = number(10.0, "land when settling takes longer [s]", 0.5, 60.0)
    land_height: float = number(0.03, "absolute height to land at [m]", 0.0, 0.5)
    land_speed: float = number(0.4, "mean speed of descent [m/s]", 0.05, 1.0)
    land_duration: float = number(1.5, "shortest time to descend [s]", 0.5, 10.0)
    land_period: float = number(0.5, "land is repeated this often until the robot descends [s]", 0.1, 2.0)
    land_descent: float = number(0.02, "the robot descends when it has sunk by this [m]", 0.005, 0.5)
    landed_height: float = number(0.1, "landed when lower than this and slow [m]", 0.01, 0.5)
    landed_speed: float = number(0.15, "landed when slower than this [m/s]", 0.01, 1.0)
    landed_time: float = number(0.5, "landed after so long low and slow [s]", 0.0, 5.0)
    land_limit: float = number(12.0, "give up when no landing has been seen [s]", 2.0, 60.0)

    def __post_init__(self) -> None:
        check(self)
