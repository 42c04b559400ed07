"""Training options: frozen, complete, stored with every checkpoint; `tuned` has their values."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.policies import LEARNED, PolicyConfig


@dataclass(frozen=True)
class TrainConfig:
    """Everything a run depends on but the data.

    steps, batch, learning_rate (cosine to final_rate * learning_rate after warmup steps), clip: gradient
    norm. stream_steps: L warm-started ticks after the cold one; stream_rounds: rounds of each (Section
    4.2.3). backprop: "through" the plan from round to round, or "detached". theta_weight: share of the same
    loss on the waypoints (not in the paper). joint_weight: of the L1 change of the plan from round to round
    of a cold tick, from the second round on: it makes the alternation contract (A.2; not in the paper).
    sphere_weight: of the L1 error of predicted sphere centres, in units of how far one goes in an interval
    (A.8's own loss term). loss_units: "state" is Eq. 13 as printed; "spread" divides each coordinate by its
    spread in the data. ema: decay of the averaged weights that are validated and saved, 0 for none.
    validate_every, checkpoint_every [steps]; validation_windows: how many held-out windows. seed: of all
    draws. split: which tenth of the episodes is held out (see Episodes.split). bf16: the network's products
    in bfloat16 while training; solver, weights and validation keep their precision.
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
    joint_weight: float = 0.0
    sphere_weight: float = 0.2
    loss_units: Literal["state", "spread"] = "state"
    ema: float = 0.999
    validate_every: int = 250
    checkpoint_every: int = 250
    validation_windows: int = 400
    seed: int = 0
    split: int = 0
    bf16: bool = False

    def __post_init__(self) -> None:
        least = {"steps": 1, "batch": 1, "stream_rounds": 1, "validate_every": 1, "checkpoint_every": 1,
                 "validation_windows": 1, "stream_steps": 0, "warmup": 0, "split": 0}  # fmt: skip
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(f"{name} must be at least {low}, got {getattr(self, name)}")
        if not self.learning_rate > 0.0 or not self.clip > 0.0:
            raise ConfigError(
                f"learning_rate and clip must be positive, got {self.learning_rate} and {self.clip}"
            )
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
    horizon: int | None = None
    rounds: int | None = None
    al_iterations: int | None = None
    mu_max: float | None = None
    gamma: float | None = None
    evaluations: int | None = None
    tolerance: float | None = None
    phantom_steps: int | None = None
    obstacles: Literal["unseen", "seen", "predicted"] | None = None
    predicts: tuple[str, ...] | None = None
    adjoint: Literal["gauss_newton", "exact"] | None = None
    steps: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    clip: float | None = None
    stream_steps: int | None = None
    stream_rounds: int | None = None
    backprop: Literal["through", "detached"] | None = None
    theta_weight: float | None = None
    joint_weight: float | None = None
    sphere_weight: float | None = None
    loss_units: Literal["state", "spread"] | None = None
    ema: float | None = None
    validate_every: int | None = None
    checkpoint_every: int | None = None
    seed: int | None = None
    split: int | None = None
    bf16: bool | None = None


def same_but(config: TrainConfig, other: TrainConfig) -> list[str]:
    """Names of options in which two configurations differ."""
    a, b = _flat(config.to_json()), _flat(other.to_json())
    return sorted(k for k in a if a[k] != b.get(k))


def _flat(values: dict[str, Any]) -> dict[str, str]:
    flat = {k: json.dumps(v, sort_keys=True) for k, v in values.items() if k != "policy"}
    return flat | {f"policy.{k}": json.dumps(v, sort_keys=True) for k, v in values["policy"].items()}
