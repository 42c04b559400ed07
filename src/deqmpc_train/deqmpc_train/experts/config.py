"""Options of a training run of a learned expert."""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from deqmpc_core.errors import ConfigError, UnknownNameError


@dataclass(frozen=True)
class ExpertConfig:
    """Everything a run depends on.

    updates: of the actor, each over `environments` flights of `horizon` steps. discount, trace: gamma and
    lambda of TD(lambda). actor_rate, critic_rate: learning rates, falling linearly to final_rate times that;
    clip: gradient norm. first_spread: of the squashed control before any training, in half ranges.
    critic_epochs passes in critic_batches parts each; target_share of the critic goes
    into its target after them. reward_unit: rewards are divided by it. obstacle_penalty: reward lost, in
    training alone, per square metre nearer than 0.3 m to a sphere; rate_penalty: per squared state unit of
    velocity, against going round and round. validate_every, checkpoint_every [updates].
    """

    task: str
    task_options: dict[str, Any] = field(default_factory=dict)
    updates: int = 1000
    environments: int = 256
    horizon: int = 24
    hidden: int = 64
    discount: float = 0.99
    trace: float = 0.95
    actor_rate: float = 2e-3
    critic_rate: float = 2e-3
    final_rate: float = 0.02
    clip: float = 0.01
    first_spread: float = 0.4
    critic_epochs: int = 4
    critic_batches: int = 4
    target_share: float = 0.3
    reward_unit: float = 5.0
    obstacle_penalty: float = 20.0
    rate_penalty: float = 0.0
    validate_every: int = 25
    validation_flights: int = 64
    checkpoint_every: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("updates", "environments", "horizon", "hidden", "critic_epochs", "critic_batches",
                     "validate_every", "validation_flights", "checkpoint_every"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("discount", "trace", "target_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}: expected a number within [0, 1], got {getattr(self, name)}")
        if self.discount == 1.0:
            raise ConfigError("discount: expected less than 1, or values have no bound")

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ExpertConfig":
        """The inverse of to_json; an unknown key is refused by name."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise UnknownNameError("option of an expert's training", key, known)
        return cls(**values)


@dataclass(frozen=True)
class ExpertOverrides:
    """What a command line may change about the tuned defaults; None keeps them. Names as in ExpertConfig."""

    updates: int | None = None
    environments: int | None = None
    horizon: int | None = None
    hidden: int | None = None
    discount: float | None = None
    actor_rate: float | None = None
    critic_rate: float | None = None
    validate_every: int | None = None
    checkpoint_every: int | None = None
    seed: int | None = None


_TUNED: dict[str, dict[str, Any]] = {
    "pendulum": {"updates": 600, "horizon": 32, "rate_penalty": 0.1},
    "cartpole": {"updates": 800, "horizon": 32},
    "quadrotor": {"updates": 500, "hidden": 128, "first_spread": 0.1},
    "qpole": {"updates": 800, "hidden": 128, "horizon": 32, "first_spread": 0.1},
    "qpole_obs": {"updates": 800, "hidden": 128, "horizon": 32, "first_spread": 0.1},
    "qpole_dyn_obs": {"updates": 800, "hidden": 128, "horizon": 32, "first_spread": 0.1},
    "crazyflie": {"updates": 500, "hidden": 128, "first_spread": 0.1},
}


def tuned(task: str, task_options: dict[str, Any], overrides: ExpertOverrides | None = None) -> ExpertConfig:
    """The configuration of a task, with overrides."""
    changes = {k: v for k, v in asdict(overrides or ExpertOverrides()).items() if v is not None}
    return replace(ExpertConfig(task, task_options, **_TUNED.get(task, {})), **changes)
