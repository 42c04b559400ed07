"""What a policy is made of: the part of policy.json that rebuilds it."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.tasks import Task

LEARNED = ("deqmpc-deq", "deqmpc-nn", "diffmpc-deq", "diffmpc-nn", "deq", "nn")
BARE = ("deq", "nn")
EXPERTS = ("expert-mpc", "expert-rl")
UNLEARNED = ("expert", "expert-mpc", "goal-mpc", "hover", "straight-line")
VARIANTS = (*LEARNED, "expert-rl", *UNLEARNED)
OBSTACLES = ("unseen", "seen", "predicted")
PREDICTIONS = ("waypoints", "velocity_weights")
ADJOINTS = ("gauss_newton", "exact")
_SLOWEST = 0.01  # m/s


@dataclass(frozen=True)
class PolicyConfig:
    """A policy's variant, sizes and schedule; every field is a key of policy.json.

    horizon: T. hidden: h. rounds: N of a cold start. al_iterations: m per round. mu_max, gamma: the penalty
    ends a call at mu_max and grows by gamma per AL iteration (Algorithm 1), each of newton_steps
    Gauss-Newton steps at most. evaluations, memory, beta,
    tolerance: Anderson acceleration. phantom_steps: evaluations that carry the gradient (A.4). obstacles: the
    network's part in keep-out spheres, "unseen", "seen" as inputs, or "predicted" by an obstacle TCN whose
    centres enter the constraints (A.8). predicts: what theta holds, of "waypoints" and "velocity_weights"
    (Section 3.1). adjoint: the solver's, "gauss_newton" (Eq. 12) or "exact". task_options: keywords of
    load_task.
    """

    task: str
    variant: str
    hidden: int = 128
    horizon: int = 5
    rounds: int = 6
    al_iterations: int = 2
    mu_max: float = 1e6
    gamma: float = 4.0
    newton_steps: int = 2
    evaluations: int = 6
    memory: int = 5
    beta: float = 0.8
    tolerance: float = 1e-2
    phantom_steps: int = 2
    obstacles: str = "unseen"
    predicts: tuple[str, ...] = ("waypoints",)
    adjoint: str = "gauss_newton"
    task_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownNameError("variant", self.variant, VARIANTS)
        for name in ("hidden", "horizon", "rounds", "al_iterations", "newton_steps", "evaluations", "memory"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        _known("obstacles", self.obstacles, OBSTACLES)
        _known("adjoint", self.adjoint, ADJOINTS)
        object.__setattr__(self, "predicts", tuple(self.predicts))  # JSON has lists
        for name in self.predicts:
            _known("predicts", name, PREDICTIONS)
        if self.mu_max <= 0 or self.gamma < 1:
            raise ConfigError(f"expected mu_max > 0 and gamma >= 1, got {self.mu_max} and {self.gamma}")

        if "waypoints" not in self.predicts:
            raise ConfigError("predicts: expected 'waypoints' among what the network predicts")
        if self.variant in BARE and len(self.predicts) > 1:
            raise ConfigError(f"predicts: no solver would train the weights of '{self.variant}'; drop them")

    @property
    def learned(self) -> bool:
        """Whether the variant has a network trained by imitation."""
        return self.variant in LEARNED

    @property
    def equilibrium(self) -> bool:
        """Whether the network is a deep equilibrium model."""
        return self.learned and self.variant.rpartition("-")[2] == "deq"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PolicyConfig":
        """The inverse of to_json; an unknown or missing key is refused by name."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise UnknownNameError("key of policy.json", key, known)
        missing = {"task", "variant"} - set(values)
        if missing:
            raise ConfigError(f"policy.json lacks '{min(missing)}'")
        return cls(**values)


def obstacle_mode(task: Task) -> str:
    """What a learned policy of the task sees of its spheres: nothing where they are always the same, as in
    the paper; their places where each episode has others; their predicted motion where they move."""
    if task.spheres is None or task.fixed_layout:
        return "unseen"
    return "predicted" if task.moving else "seen"


def sphere_speed(task: Task) -> float:
    """The unit of the spheres' motion [m/s]: how fast the task's move, or hardly."""
    return max(getattr(task, "obstacle_speed", 0.0), _SLOWEST)


def _known(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{key}: expected one of {', '.join(known)}, got {value!r}")
