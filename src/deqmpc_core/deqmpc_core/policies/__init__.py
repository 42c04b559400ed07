"""Policies: (observation, state) -> (plan, state). Variants by name; one base owns the alternation."""

from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.actor_policy import ActorPolicy
from deqmpc_core.policies.bare import BarePolicy
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.build import make_network, make_policy
from deqmpc_core.policies.config import (
    EXPERTS,
    LEARNED,
    UNLEARNED,
    VARIANTS,
    PolicyConfig,
    obstacle_mode,
    sphere_speed,
)
from deqmpc_core.policies.deq_mpc import DeqMpcPolicy
from deqmpc_core.policies.diff_mpc import DiffMpcPolicy
from deqmpc_core.policies.expert import ExpertPolicy
from deqmpc_core.policies.goal_mpc import GoalMpcPolicy
from deqmpc_core.policies.hover import HoverPolicy
from deqmpc_core.policies.reward_mpc import RewardMpcPolicy
from deqmpc_core.policies.state import PolicyInfo, PolicyState
from deqmpc_core.policies.straight_line import StraightLinePolicy

__all__ = [
    "EXPERTS",
    "LEARNED",
    "UNLEARNED",
    "VARIANTS",
    "Actor",
    "ActorPolicy",
    "BarePolicy",
    "DeqMpcPolicy",
    "DiffMpcPolicy",
    "ExpertPolicy",
    "GoalMpcPolicy",
    "HoverPolicy",
    "Policy",
    "PolicyConfig",
    "PolicyInfo",
    "PolicyState",
    "RewardMpcPolicy",
    "StraightLinePolicy",
    "make_network",
    "make_policy",
    "obstacle_mode",
    "sphere_speed",
]
