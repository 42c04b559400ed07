"""Flight logic without ROS: estimator, plan and setpoint, commander. The pilot (torch) is in
deqmpc_core.flight.pilot."""

from deqmpc_core.flight.commander import Commander
from deqmpc_core.flight.commands import Arm, Command, GoTo, Land, NotifySetpointsStop, SendSetpoint, Takeoff
from deqmpc_core.flight.configuration import CommanderConfig, FlightPhase, FlightRequest
from deqmpc_core.flight.estimator import Estimate, EstimatorConfig, PoseSample, StateEstimator
from deqmpc_core.flight.frame_log import FrameLog
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint

__all__ = [
    "Arm",
    "Command",
    "Commander",
    "CommanderConfig",
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
    "SendSetpoint",
    "Setpoint",
    "StateEstimator",
    "Takeoff",
]
