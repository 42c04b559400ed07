"""From a configuration to a policy."""

from deqmpc_core.errors import ConfigError
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.nets import (
    AndersonConfig,
    EquilibriumNetwork,
    FeedForwardNetwork,
    NetworkShape,
    ObstacleNetwork,
    ObstacleShape,
    WaypointNetwork,
    obstacle_width,
)
from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.actor_policy import ActorPolicy
from deqmpc_core.policies.bare import BarePolicy
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.config import PolicyConfig, sphere_speed
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
    "deq": BarePolicy,
    "nn": BarePolicy,
    "goal-mpc": GoalMpcPolicy,
    "hover": HoverPolicy,
    "straight-line": StraightLinePolicy,
}


def make_network(config: PolicyConfig, task: Task) -> WaypointNetwork | None:
    """A fresh network for the variant, None for the variants without one."""
    if not config.learned:
        return None
    shape = NetworkShape(task.n, task.q, config.horizon, config.hidden, task.dt)
    weighs, obstacles = "velocity_weights" in config.predicts, _obstacle_network(config, task)
    if not config.equilibrium:
        return FeedForwardNetwork(shape, obstacles, weighs)
    search = AndersonConfig(config.memory, config.beta, config.tolerance, config.evaluations)
    return EquilibriumNetwork(shape, search, config.phantom_steps, obstacles, weighs)


def _obstacle_network(config: PolicyConfig, task: Task) -> ObstacleNetwork | None:
    """The network that sees the task's spheres, None where the policy sees none."""
    if config.obstacles == "unseen":
        return None
    if task.spheres is None or task.system.position is None:
        raise ConfigError(f"obstacles: task '{task.name}' has no spheres; expected 'unseen'")
    width, predicts = obstacle_width(config.hidden), config.obstacles == "predicted"
    return ObstacleNetwork(ObstacleShape(
        task.n, task.system.position, config.horizon, width, task.dt, sphere_speed(task), predicts,
        config.equilibrium,
    ))  # fmt: skip


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
        adjoint=config.adjoint,
    )
    if config.variant == "expert-rl":
        return ActorPolicy(task, solver, config, Actor(task, config.hidden))
    return CLASSES[config.variant](task, solver, config, make_network(config, task))
