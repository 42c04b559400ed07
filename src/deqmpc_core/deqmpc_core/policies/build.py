"""From a configuration to a policy."""

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.nets import (
    AndersonConfig,
    EquilibriumNetwork,
    FeedForwardNetwork,
    NetworkShape,
    WaypointNetwork,
)
from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.actor_policy import ActorPolicy
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.policies.deq_mpc import DeqMpcPolicy
from deqmpc_core.policies.diff_mpc import DiffMpcPolicy
from deqmpc_core.policies.expert import make_expert
from deqmpc_core.policies.goal_mpc import GoalMpcPolicy
from deqmpc_core.policies.hover import HoverPolicy
from deqmpc_core.policies.straight_line import StraightLinePolicy
from deqmpc_core.tasks import Task, load_task

CLASSES: dict[str, type[Policy]] = {
    "deqmpc-deq": DeqMpcPolicy,
    "deqmpc-nn": DeqMpcPolicy,
    "diffmpc-deq": DiffMpcPolicy,
    "diffmpc-nn": DiffMpcPolicy,
    "goal-mpc": GoalMpcPolicy,
    "hover": HoverPolicy,
    "straight-line": StraightLinePolicy,
}


def make_network(config: PolicyConfig, task: Task) -> WaypointNetwork | None:
    """A fresh network for the variant, None for the variants without one."""
    if not config.learned:
        return None
    shape = NetworkShape(task.n, task.q, config.horizon, config.hidden, task.dt)
    if config.variant.endswith("-nn"):
        return FeedForwardNetwork(shape)
    search = AndersonConfig(config.memory, config.beta, config.tolerance, config.evaluations)
    return EquilibriumNetwork(shape, search, config.phantom_steps)


def make_policy(config: PolicyConfig, task: Task | None = None, backend: str = "native") -> Policy:
    """A policy with an untrained network; the task is loaded from the configuration unless given."""
    task = task or load_task(config.task, **config.task_options)
    if config.variant in ("expert", "expert-mpc"):
        return make_expert(config, task, backend)
    solver = TrackingSolver(
        task,
        config.horizon,
        backend=backend,
        penalty_max=config.mu_max,
        growth=config.gamma,
        newton_steps=config.newton_steps,
    )
    if config.variant == "expert-rl":
        return ActorPolicy(task, solver, config, Actor(task, config.hidden))
    return CLASSES[config.variant](task, solver, config, make_network(config, task))
