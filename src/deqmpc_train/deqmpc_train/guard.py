"""The guard against non-finite numbers: names the tensor, saves the batch."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from deqmpc_core.errors import TrainingError
from deqmpc_train.data import Window


def check_finite(named: Mapping[str, Tensor], window: Window, step: int, directory: Path) -> None:
    """Raise TrainingError for the first tensor, in order of computation, that holds NaN or infinity."""
    for name, value in named.items():
        finite = torch.isfinite(value.detach())
        if not finite.all():
            file = _save(window, step, directory)
            samples = _bad_samples(finite, window.x.shape[0])
            raise TrainingError(
                f"step {step}: {name} is not finite{samples}; the batch is in '{file}'; "
                "lower --learning-rate or look at that batch"
            )


def _bad_samples(finite: Tensor, batch: int) -> str:
    if finite.ndim == 0 or finite.shape[0] != batch:
        return ""
    rows = (~finite.flatten(1).all(1)).nonzero()[:, 0].tolist()
    return f" in samples {', '.join(map(str, rows[:5]))}{', …' if len(rows) > 5 else ''} of {batch}"


def _save(window: Window, step: int, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"failed-batch-{step}.safetensors"
    save_file({k: v.contiguous() for k, v in window._asdict().items() if v is not None}, file)
    return file
