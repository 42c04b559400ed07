"""Robots: one file each, its continuous dynamics as SymPy expressions, its layout and its parameters."""

from deqmpc_core.systems.quadrotor import crazyflie, quadrotor
from deqmpc_core.systems.system import System

__all__ = ["System", "crazyflie", "quadrotor"]
