"""What a run shows: a progress bar with time left, and TensorBoard."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from deqmpc_core.types import Status
from deqmpc_train.trainer import StepReport, Validation

_LOG_EVERY = 10


class Monitor:
    """Context manager around a training loop; loss/eq13 is Eq. 13, the losses by round its terms
    per knot, in state units."""

    def __init__(
        self, title: str, steps: int, done: int, log_dir: Path, console: Console | None = None
    ) -> None:
        self._console = console or Console()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))  # fmt: skip
        self._progress = Progress(*columns, console=self._console)
        self._bar = self._progress.add_task(title, total=steps, completed=done, note="")
        self._writer = SummaryWriter(str(log_dir), purge_step=done + 1)
        self._mark = time.perf_counter()
        self._validation = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self._writer.close()

    def step(self, report: StepReport) -> None:
        """Move the bar; every tenth step write the figures."""
        self._progress.advance(self._bar)
        if report.step % _LOG_EVERY:
            return
        now = time.perf_counter()
        rate, self._mark = _LOG_EVERY / (now - self._mark), now
        note = f"loss {report.eq13:.3f}  {rate:.2f} steps/s{self._validation}"
        self._progress.update(self._bar, note=note)
        self._write(report, rate)

    def validation(self, step: int, result: Validation) -> None:
        """Print and log a validation."""
        mark = " (best)" if result.best else ""
        errors = result.errors
        self._validation = f"  held-out {errors.error:.4f}"
        self._console.print(
            f"step {step}: held-out L1 cold {errors.cold:.4f}, streamed {errors.warm:.4f}{mark}"
        )
        scalars = {"validation/cold": errors.cold, "validation/streamed": errors.warm}
        scalars |= {f"validation_by_round/{i}": float(v) for i, v in enumerate(errors.rounds)}
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
        self._mark = time.perf_counter()

    def _write(self, report: StepReport, rate: float) -> None:
        loss = report.loss
        scalars: dict[str, Any] = {"loss/eq13": report.eq13, "rate": report.rate}
        scalars |= {"gradient_norm": report.gradient_norm}
        scalars |= {f"gradient_norm_of/{part}": v for part, v in report.norms.items()}
        scalars |= {f"loss_by_round/cold_{i}": v for i, v in enumerate(loss.cold)}
        scalars |= {f"loss_by_round/streamed_{i}": v for i, v in enumerate(loss.stream)}
        scalars |= {f"residual/round_{i}": v for i, v in enumerate(loss.residual)}
        scalars |= {f"violation/round_{i}": v for i, v in enumerate(loss.violation) if not v.isnan()}
        scalars |= {f"spheres_m/round_{i}": v for i, v in enumerate(loss.spheres)}
        scalars |= _statuses(loss.status)
        for name, value in (scalars | {"steps_per_second": rate}).items():
            self._writer.add_scalar(name, float(value), report.step)


def _statuses(counts: Tensor) -> dict[str, float]:
    """Share of samples by how their solve ended, cold and streamed, of counts (L+1, S)."""
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    named = {"cold": shares[0], "streamed": shares[1:].mean(0)} if len(shares) > 1 else {"cold": shares[0]}
    return {
        f"solver_{tick}/{status.name.lower()}": float(share)
        for tick, row in named.items()
        for status, share in zip(Status, row, strict=True)
    }
