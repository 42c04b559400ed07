"""What a policy is made of: the part of policy.json that rebuilds it."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from deqmpc_core.errors import ConfigError, UnknownNameError

LEARNED = ("deqmpc-deq", "deqmpc-nn", "diffmpc-deq", "diffmpc-nn")
EXPERTS = ("expert-mpc", "expert-rl")
UNLEARNED = ("expert", "expert-mpc", "goal-mpc", "hover", "straight-line")
VARIANTS = (*LEARNED, "expert-rl", *UNLEARNED)


@dataclass(frozen=True)
class PolicyConfig:
    """A policy's variant, sizes and schedule; every field is a key of policy.json.

    horizon: T. hidden: h. rounds: N of a cold start. al_iterations: m per round. mu_max, gamma: the penalty
    ends a call at mu_max and grows by gamma per AL iteration (Algorithm 1), each of newton_steps
    Gauss-Newton steps at most. evaluations, memory, beta,
    tolerance: Anderson acceleration. phantom_steps: evaluations that carry the gradient (A.4). task_options:
    keywords of load_task.
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
    task_options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownNameError("variant", self.variant, VARIANTS)
        for name in ("hidden", "horizon", "rounds", "al_iterations", "newton_steps", "evaluations", "memory"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.mu_max <= 0 or self.gamma < 1:
            raise ConfigError(f"expected mu_max > 0 and gamma >= 1, got {self.mu_max} and {self.gamma}")

    @property
    def learned(self) -> bool:
        """Whether the variant has a network trained by imitation."""
        return self.variant in LEARNED

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
