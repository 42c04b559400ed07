"""Choosing the learning rate: short runs over one grid, the same for every variant."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from deqmpc_core.errors import ConfigError, TrainingError
from deqmpc_core.files import read_json, write_json
from deqmpc_train.checkpoint import has_checkpoint
from deqmpc_train.config import TrainConfig
from deqmpc_train.trainer import Trainer

SHARE = 0.1
"""Of the steps of a run, for each rate of the grid."""

Make = Callable[[TrainConfig, Path], Trainer]


class Choice(NamedTuple):
    """rate: the best one; errors: held-out error of each rate tried, None where the run came to no finite
    number; steps: of each."""

    rate: float
    errors: dict[float, float | None]
    steps: int

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        errors = {f"{rate:g}": error for rate, error in self.errors.items()}
        return {"rate": self.rate, "steps": self.steps, "errors": errors}


def short(config: TrainConfig, rate: float, share: float = SHARE) -> TrainConfig:
    """The same run with another rate and few steps, its schedule shortened with it, validated at the end."""
    steps = max(1, round(share * config.steps))
    warmup = min(config.warmup, steps // 5)
    return replace(
        config, learning_rate=rate, steps=steps, warmup=warmup, validate_every=steps,
        checkpoint_every=min(config.checkpoint_every, steps),
    )  # fmt: skip


def tune(
    config: TrainConfig, grid: Sequence[float], run_dir: Path, make: Make, run: Callable[[Trainer], None],
    share: float = SHARE,
) -> Choice:  # fmt: skip
    """Train briefly with every rate and choose the one of the least held-out error.

    A finished rate is read from run_dir/<rate>/result.json, a broken-off one goes on from its checkpoint.
    Raises TrainingError where no rate comes to a finite error.
    """
    if not grid:
        raise ConfigError("expected at least one learning rate to choose from, got none")
    steps = short(config, grid[0], share).steps
    errors = {rate: _error(short(config, rate, share), run_dir / f"{rate:g}", make, run) for rate in grid}
    finite = {rate: e for rate, e in errors.items() if e is not None}
    if not finite:
        raise TrainingError(f"no learning rate of {', '.join(f'{r:g}' for r in grid)} trains; try lower ones")
    return Choice(min(finite, key=lambda r: finite[r]), errors, steps)


def _error(
    config: TrainConfig, place: Path, make: Make, run: Callable[[Trainer], None]
) -> float | None:
    file = place / "result.json"
    if file.is_file():
        found = read_json(file)
        if TrainConfig.from_json(found["config"]) == config:
            return found["error"]
    trainer = make(config, place)
    if has_checkpoint(place / "last"):
        trainer.resume()
    error: float | None
    try:
        run(trainer)
        error = trainer.best_error
    except TrainingError as failed:
        if "not finite" not in str(failed):
            raise
        error = None
    if trainer.group.leads:
        write_json(file, {"config": config.to_json(), "error": error})
    return error
