"""Batch environments: the solver's own model stepped by RK4, no firmware and no delays.

Importing this registers every task with gymnasium: gymnasium.make("deqmpc/QpoleObs-v0").
"""

from deqmpc_sim.envs.episodes import episode_starts
from deqmpc_sim.envs.rollout import Rollout, expert_return, roll_out
from deqmpc_sim.envs.single import TaskEnv, gymnasium_id, register
from deqmpc_sim.envs.vector import TaskVectorEnv, make_env

register()

__all__ = [
    "Rollout", "TaskEnv", "TaskVectorEnv", "episode_starts", "expert_return", "gymnasium_id", "make_env",
    "roll_out",
]  # fmt: skip
