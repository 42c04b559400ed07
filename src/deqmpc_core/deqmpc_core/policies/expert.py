"""The expert by MPC: the task's long horizon and its own weights; what data sets are made of."""

from dataclasses import replace

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.policies.goal_mpc import GoalMpcPolicy
from deqmpc_core.policies.reward_mpc import RewardMpcPolicy
from deqmpc_core.tasks import Task


class ExpertPolicy(GoalMpcPolicy):
    """Goal MPC over `task.expert`'s numbers (horizon, weights, margin); build it through `make_policy`."""


def make_expert(config: PolicyConfig, task: Task, backend: str) -> Policy:
    """The expert that `task.expert` describes: by the augmented Lagrangian, or by climbing the reward."""
    task, numbers = task.for_expert(), task.expert
    if numbers.method == "interior_point":
        solver = TrackingSolver(task, method="interior_point", backend=backend)
        return RewardMpcPolicy(task, solver, replace(config, horizon=task.horizon))
    config = replace(config, horizon=task.horizon, al_iterations=numbers.al_iterations, newton_steps=4)
    solver = TrackingSolver(
        task, backend=backend, penalty_max=config.mu_max, growth=config.gamma,
        newton_steps=config.newton_steps,
    )  # fmt: skip
    return ExpertPolicy(task, solver, config)
