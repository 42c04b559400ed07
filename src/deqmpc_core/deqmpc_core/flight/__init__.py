"""Flight logic without ROS: estimator, plan and setpoint, commander. The pilot (torch) is in
deqmpc_core.flight.pilot."""

from deqmpc_core.flight.commander import Commander
from deqmpc_core.flight.commands import (
    Arm,
    Command,
    Emergency,
    GoTo,
    Land,
    NotifySetpointsStop,
    SendSetpoint,
    Takeoff,
)
from deqmpc_core.flight.configuration import CommanderConfig, FlightPhase, FlightRequest
from deqmpc_core.flight.estimator import Estimate, EstimatorConfig, PoseSample, StateEstimator
from deqmpc_core.flight.frame_log import FrameLog
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint
from deqmpc_core.flight.watch import RobotStatus

__all__ = [
    "Arm",
    "Command",
    "Commander",
    "CommanderConfig",
    "Emergency",
    "Estimate",
    "EstimatorConfig",
    "FlightPhase",
    "FlightRequest",
    "FrameLog",
    "GoTo",
    "Land",
    "NotifySetpointsStop",
    "PlanPacket",
    "PoseSample",
    "RobotStatus",
    "SendSetpoint",
    "Setpoint",
    "StateEstimator",
    "Takeoff",
]
