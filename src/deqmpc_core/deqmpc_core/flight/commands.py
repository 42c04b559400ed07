"""What the commander can ask of the robot, named as the robot's services; lengths are metres, durations
seconds."""

from dataclasses import dataclass

from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.trajectory import Setpoint


@dataclass(frozen=True)
class Arm:
    """Arm the motors."""


@dataclass(frozen=True)
class Takeoff:
    """Rise to the absolute height."""

    height: float
    duration: float


@dataclass(frozen=True)
class GoTo:
    """Fly to goal (3,), absolute, world frame, with yaw [rad], and hover there."""

    goal: Array
    yaw: float
    duration: float


@dataclass(frozen=True)
class NotifySetpointsStop:
    """Give control back to the high-level planner, which then idles: a Land or GoTo must follow in the same
    tick."""


@dataclass(frozen=True)
class Land:
    """Descend to the absolute height."""

    height: float
    duration: float


@dataclass(frozen=True)
class SendSetpoint:
    """Stream one FullState setpoint."""

    setpoint: Setpoint


@dataclass(frozen=True)
class Emergency:
    """Cut the motors at once. The robot falls, and flies again only after a reboot."""


Command = Arm | Takeoff | GoTo | NotifySetpointsStop | Land | SendSetpoint | Emergency
