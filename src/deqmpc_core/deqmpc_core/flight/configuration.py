"""What a flight is made of: its phases, the request that starts it, and the commander's numbers."""

import itertools
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from typing import Any

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.trajectory import WIRE_LIMIT

TIME_TOLERANCE = 1e-6  # s by which sums of periods may miss a time


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
    """A config field whose metadata describes the ROS parameter that sets it; check() enforces the range. A
    tuple is a corner of a box (x, y, z), the range that of each of its numbers."""
    return field(default=default, metadata={"help": help, "bounds": (low, high)})


def flag(default: bool, help: str) -> Any:
    """A config field that is true or false."""
    return field(default=default, metadata={"help": help, "bounds": None})


def check(config: Any) -> None:
    """Raise ConfigError when a field made by number() is outside its range."""
    for spec in fields(config):
        if spec.metadata["bounds"] is not None:
            _check_number(spec, getattr(config, spec.name))


def _check_number(spec: Field[Any], value: Any) -> None:
    low, high = spec.metadata["bounds"]
    corner = isinstance(spec.default, tuple)
    if corner and (not isinstance(value, tuple | list) or len(value) != 3):
        raise ConfigError(f"{spec.name} ({spec.metadata['help']}) must be three numbers, got {value}")
    if not all(low <= number <= high for number in (value if corner else (value,))):
        raise ConfigError(f"{spec.name} ({spec.metadata['help']}) must be in [{low}, {high}], got {value}")


@dataclass(frozen=True)
class SafetyConfig:
    """Thresholds of the safety ladder, limits of setpoints, and what robot and operator must say: see
    docs/safety.md."""

    pose_late: float = number(0.2, "hold when the newest pose is older [s]", 0.02, 5.0)
    pose_timeout: float = number(0.5, "land when the newest pose is older [s]", 0.02, 5.0)
    clock_tolerance: float = number(
        0.1, "poses stamped farther in the future are not believed [s]", 0.001, 10.0
    )
    plan_late: float = number(
        0.2, "hold when the plan is older, or than 1 period and half of this [s]", 0.02, 5.0
    )
    plan_timeout: float = number(0.5, "land when the newest plan is older [s]", 0.02, 5.0)
    plan_reach: float = number(
        0.6, "a plan that begins farther from the robot is not believed [m]", 0.05, 10.0
    )
    violation_limit: float = number(
        0.05, "a plan that breaks a constraint by more is bad [its unit; m into known obstacles]", 0.0, 10.0
    )
    obstacle_margin: float = number(
        0.0, "a plan nearer to the surface of a known obstacle is bad [m]", -10.0, 10.0
    )
    bad_plans: int = number(3, "from so many bad plans in a row on they are not flown", 1, 100)
    hold_braking: float = number(0.4, "a hold comes to rest along the plan within this time [s]", 0.05, 2.0)
    hold_limit: float = number(3.0, "land when a hold lasts longer [s]", 0.1, 60.0)
    fence_inner_low: tuple[float, ...] = number(
        (-1.6, -1.6, 0.1), "hold below this corner x, y, z, world [m]", -30.0, 30.0
    )
    fence_inner_high: tuple[float, ...] = number(
        (1.6, 1.6, 2.0), "hold above this corner x, y, z, world [m]", -30.0, 30.0
    )
    fence_outer_low: tuple[float, ...] = number(
        (-1.8, -1.8, -0.3), "land below this corner x, y, z, world [m]", -30.0, 30.0
    )
    fence_outer_high: tuple[float, ...] = number(
        (1.8, 1.8, 2.3), "land above this corner x, y, z, world [m]", -30.0, 30.0
    )
    max_speed: float = number(2.5, "largest velocity of a setpoint [m/s]", 0.1, 32.0)
    max_acceleration: float = number(10.0, "largest acceleration of a setpoint [m/s^2]", 0.1, 32.0)
    slew_position: float = number(3.0, "how fast the position of setpoints may change [m/s]", 0.1, 100.0)
    slew_velocity: float = number(40.0, "how fast the velocity of setpoints may change [m/s^2]", 0.1, 1000.0)
    slew_acceleration: float = number(
        250.0, "how fast the acceleration of setpoints may change [m/s^3]", 1.0, 10000.0
    )
    slew_yaw: float = number(6.0, "how fast the yaw of setpoints may change [rad/s]", 0.1, 100.0)
    battery_start: float = number(3.7, "no take-off with less, unloaded [V]", 0.0, 30.0)
    battery_land: float = number(3.1, "land when the battery has less, under load [V]", 0.0, 30.0)
    battery_time: float = number(2.0, "... for so long [s]", 0.0, 60.0)
    require_status: bool = flag(False, "no take-off without the robot's status")
    status_timeout: float = number(3.0, "a status older than this is no status [s]", 0.1, 60.0)
    require_own_pose: bool = flag(False, "no take-off without the robot's own estimate, /<robot>/pose")
    own_pose_timeout: float = number(1.0, "an own estimate older than this is none [s]", 0.1, 60.0)
    own_pose_distance: float = number(
        0.1, "no take-off when the robot's own estimate is farther from motion capture [m]", 0.01, 10.0
    )
    own_pose_angle: float = number(0.175, "... or turned by more [rad]", 0.01, 3.2)
    own_pose_astray: float = number(
        0.5, "land when the robot's own estimate is farther from motion capture in flight [m]", 0.05, 100.0
    )
    own_pose_astray_time: float = number(0.5, "... for so long [s]", 0.0, 60.0)
    require_obstacles: bool = flag(False, "no take-off before the policy has told its set of obstacles")
    start_tilt: float = number(0.175, "no take-off when the robot leans by more [rad]", 0.01, 1.6)
    start_speed: float = number(0.3, "no take-off when the robot moves faster [m/s]", 0.01, 10.0)
    deadman: bool = flag(False, "the operator's deadman must be held from the start to the landing")
    deadman_timeout: float = number(0.5, "a deadman not confirmed for so long is released [s]", 0.05, 5.0)

    def __post_init__(self) -> None:
        check(self)
        corners = (self.fence_outer_low, self.fence_inner_low, self.fence_inner_high, self.fence_outer_high)
        for low, high in itertools.pairwise(corners):
            if not all(a <= b for a, b in zip(low, high, strict=True)):
                raise ConfigError(
                    "the geofence's corners must rise from fence_outer_low over fence_inner_low and "
                    f"fence_inner_high to fence_outer_high, got {low} before {high}"
                )


@dataclass(frozen=True)
class CommanderConfig(SafetyConfig):
    """The commander's numbers; each field's metadata holds its help text and its range."""

    rate: float = number(50.0, "ticks a second [Hz]", 10.0, 200.0)
    lookahead: float = number(0.0, "how far ahead on the plan position and velocity are read [s]", 0.0, 0.5)
    feedforward_lookahead: float = number(
        0.15, "how far ahead on the plan the acceleration is read [s]", 0.0, 0.5
    )
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
        super().__post_init__()
        if self.ready_time <= self.pose_timeout:
            raise ConfigError(
                f"ready_time ({self.ready_time:.2f} s) must be longer than pose_timeout "
                f"({self.pose_timeout:.2f} s), or a single pose is enough for a take-off: raise ready_time"
            )
