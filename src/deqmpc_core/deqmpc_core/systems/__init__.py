"""Robots: one file each, its continuous dynamics as SymPy expressions, its layout and its parameters."""

from deqmpc_core.systems.cartpole import cartpole
from deqmpc_core.systems.pendulum import pendulum
from deqmpc_core.systems.quadrotor import crazyflie, quadrotor
from deqmpc_core.systems.quadrotor_pole import quadrotor_pole
from deqmpc_core.systems.system import System

__all__ = ["System", "cartpole", "crazyflie", "pendulum", "quadrotor", "quadrotor_pole"]
