"""Batch environments: the solver's own model stepped by RK4, no firmware and no delays."""

from deqmpc_sim.envs.rollout import Rollout, expert_return, roll_out
from deqmpc_sim.envs.vector import TaskVectorEnv, make_env

__all__ = ["Rollout", "TaskVectorEnv", "expert_return", "make_env", "roll_out"]
