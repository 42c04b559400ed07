"""The MPC layer: tracking waypoints under dynamics, control limits and keep-out spheres."""

from deqmpc_core.mpc.tracking import TrackingSolver
from deqmpc_core.types import Solution, SolveInfo, SolverState, Spheres, Status

__all__ = ["Solution", "SolveInfo", "SolverState", "Spheres", "Status", "TrackingSolver"]
