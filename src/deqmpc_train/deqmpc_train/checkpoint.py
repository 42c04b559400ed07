"""Checkpoints: a directory of safetensors and json, written whole or not at all."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deqmpc_core.bundle import replace_directory
from deqmpc_core.errors import BundleError, TrainingError
from deqmpc_train.config import TrainConfig

_TENSORS, _META = "checkpoint.safetensors", "checkpoint.json"


class Checkpoint(NamedTuple):
    """tensors by name ("network.", "ema.", "optimizer.", "random"), steps done, the configuration, and
    notes."""

    tensors: dict[str, Tensor]
    step: int
    config: TrainConfig
    notes: dict[str, Any]


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `directory`; TrainingError where it cannot be written, and the older one
    stays."""
    meta = {"step": checkpoint.step, "config": checkpoint.config.to_json(), "notes": checkpoint.notes}
    write_checkpoint(directory, meta, checkpoint.tensors, f"step {checkpoint.step}")


def write_checkpoint(directory: Path, meta: dict[str, Any], tensors: dict[str, Tensor], when: str) -> None:
    """Replace what is at `directory` by meta, as JSON, and tensors; TrainingError, saying `when`, where it
    cannot be written, and the older one stays."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        try:
            (fresh / _META).write_text(json.dumps(meta, indent=2) + "\n")
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, fresh / _TENSORS)
            replace_directory(fresh, directory)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{when}: cannot write checkpoint '{directory}': {error}; the one before it is intact: make room "
            "and go on with --resume"
        ) from error


def has_checkpoint(directory: Path) -> bool:
    """Whether load_checkpoint has something to read."""
    return directory.exists() or _backup(directory).exists()


def _backup(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}-old")


def load_checkpoint(directory: Path) -> Checkpoint:
    """The checkpoint at `directory`, or the one that a kill between two renames left beside it."""
    meta, tensors = read_checkpoint(directory)
    return Checkpoint(tensors, int(meta["step"]), TrainConfig.from_json(meta["config"]), meta["notes"])


def read_checkpoint(directory: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The inverse of write_checkpoint. Raises BundleError."""
    place = directory if directory.exists() else _backup(directory)
    try:
        return json.loads((place / _META).read_text()), load_file(place / _TENSORS)
    except (OSError, json.JSONDecodeError, SafetensorError) as error:
        raise BundleError(
            f"cannot read checkpoint '{directory}': {error}; start again without --resume"
        ) from error


def steps_behind(directory: Path) -> int:
    """Steps behind a checkpoint; 0 where none can be read."""
    try:
        return int(json.loads((directory / _META).read_text())["step"])
    except (OSError, ValueError, KeyError):
        return 0


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """A module's state under a prefix."""
    return {f"{prefix}.{k}": v.detach().clone() for k, v in module.state_dict().items()}


def load_module(prefix: str, module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """The inverse of module_tensors."""
    start = f"{prefix}."
    module.load_state_dict({k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)})


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and counters of every parameter, by its number."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{k}": v.clone() for i, entry in state.items() for k, v in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of optimizer_tensors; groups (rates) stay as they are."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
