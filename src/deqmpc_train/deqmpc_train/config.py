"""Training options: frozen, complete, stored with every checkpoint; tuned defaults per variant and budget."""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.policies import LEARNED, PolicyConfig

Budget = Literal["smoke", "laptop", "paper"]
BUDGETS: tuple[Budget, ...] = ("smoke", "laptop", "paper")


@dataclass(frozen=True)
class TrainConfig:
    """Everything a run depends on but the data.

    steps, batch, learning_rate (cosine to final_rate * learning_rate after warmup steps), clip: gradient
    norm. stream_steps: L warm-started ticks after the cold one; stream_rounds: rounds of each (Section
    4.2.3). backprop: "through" the plan from round to round, or "detached". theta_weight: share of the same
    loss on the waypoints (not in the paper). loss_units: "state" is Eq. 13 as printed; "spread" divides each
    coordinate by its spread in the data. ema: decay of the averaged weights that are validated and saved, 0
    for none. validate_every, checkpoint_every [steps]; validation_windows: how many held-out windows. seed:
    of all draws. split: which tenth of the episodes is held out (see Episodes.split).
    """

    policy: PolicyConfig
    steps: int = 4000
    batch: int = 200
    learning_rate: float = 1e-3
    final_rate: float = 0.02
    warmup: int = 100
    clip: float = 2.0
    stream_steps: int = 2
    stream_rounds: int = 1
    backprop: Literal["through", "detached"] = "through"
    theta_weight: float = 0.0
    loss_units: Literal["state", "spread"] = "state"
    ema: float = 0.999
    validate_every: int = 250
    checkpoint_every: int = 250
    validation_windows: int = 400
    seed: int = 0
    split: int = 0

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "batch",
            "stream_rounds",
            "validate_every",
            "checkpoint_every",
            "validation_windows",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0.0 <= self.ema < 1.0:
            raise ConfigError(f"ema must be in [0, 1), got {self.ema}")
        if not self.policy.learned:
            raise ConfigError(
                f"variant '{self.policy.variant}' has nothing to train; use one of {', '.join(LEARNED)}"
            )

    @property
    def window(self) -> int:
        """Knots of a training window: T + L + 1."""
        return self.policy.horizon + self.stream_steps + 1

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "TrainConfig":
        """The inverse of to_json; an unknown key is refused by name."""
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise UnknownNameError("training option", key, known)
        return cls(**{**values, "policy": PolicyConfig.from_json(values["policy"])})


@dataclass(frozen=True)
class Overrides:
    """What a command line may change about the tuned defaults; None keeps them.

    Field names are those of TrainConfig and PolicyConfig.
    """

    hidden: int | None = None
    rounds: int | None = None
    al_iterations: int | None = None
    mu_max: float | None = None
    gamma: float | None = None
    evaluations: int | None = None
    phantom_steps: int | None = None
    steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    clip: float | None = None
    stream_steps: int | None = None
    stream_rounds: int | None = None
    backprop: Literal["through", "detached"] | None = None
    theta_weight: float | None = None
    loss_units: Literal["state", "spread"] | None = None
    ema: float | None = None
    validate_every: int | None = None
    checkpoint_every: int | None = None
    seed: int | None = None
    split: int | None = None


_POLICY: dict[Budget, dict[str, Any]] = {
    "smoke": {"hidden": 16, "evaluations": 4, "phantom_steps": 1},
    "laptop": {"hidden": 64},
    "paper": {"hidden": 512, "evaluations": 10, "phantom_steps": 3},
}
_TRAIN: dict[Budget, dict[str, Any]] = {
    "smoke": {"steps": 20, "batch": 16, "warmup": 2, "validate_every": 10, "checkpoint_every": 10,
              "validation_windows": 32, "ema": 0.9},
    "laptop": {"steps": 2000, "ema": 0.995},
    "paper": {"steps": 20000, "validate_every": 500, "checkpoint_every": 500},
}  # fmt: skip


def tuned(
    task: str,
    variant: str,
    budget: Budget = "laptop",
    overrides: Overrides | None = None,
    task_options: dict[str, Any] | None = None,
) -> TrainConfig:
    """The configuration of a task and variant at a budget, with overrides."""
    if budget not in BUDGETS:
        raise UnknownNameError("budget", budget, BUDGETS)
    changes = {k: v for k, v in asdict(overrides or Overrides()).items() if v is not None}
    names = {f.name for f in fields(PolicyConfig)}
    shape = _POLICY[budget] | {k: v for k, v in changes.items() if k in names}
    policy = PolicyConfig(task, variant, task_options=task_options or {}, **shape)
    config = TrainConfig(policy, **_TRAIN[budget])
    return replace(config, **{k: v for k, v in changes.items() if k not in names})


def same_but(config: TrainConfig, other: TrainConfig) -> list[str]:
    """Names of options in which two configurations differ."""
    a, b = _flat(config.to_json()), _flat(other.to_json())
    return sorted(k for k in a if a[k] != b.get(k))


def _flat(values: dict[str, Any]) -> dict[str, str]:
    flat = {k: json.dumps(v, sort_keys=True) for k, v in values.items() if k != "policy"}
    return flat | {f"policy.{k}": json.dumps(v, sort_keys=True) for k, v in values["policy"].items()}
