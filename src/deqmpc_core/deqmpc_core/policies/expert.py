"""The expert: goal MPC with the task's long horizon and gentle weights; what data sets are made of."""

from deqmpc_core.policies.goal_mpc import GoalMpcPolicy


class ExpertPolicy(GoalMpcPolicy):
    """Goal MPC over `task.expert`'s numbers (horizon, weights, margin); build it through `make_policy`."""
