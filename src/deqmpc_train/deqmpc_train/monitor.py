"""What a run shows: a progress bar with time left, and TensorBoard."""

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from torch.utils.tensorboard import SummaryWriter

from deqmpc_train.trainer import StepReport, Validation

_LOG_EVERY = 10


class Monitor:
    """Context manager around a training loop; losses are those of Eq. 13, in state units."""

    def __init__(
        self, title: str, steps: int, done: int, log_dir: Path, console: Console | None = None
    ) -> None:
        self._console = console or Console()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"))  # fmt: skip
        self._progress = Progress(*columns, console=self._console)
        self._bar = self._progress.add_task(title, total=steps, completed=done, note="")
        self._writer = SummaryWriter(str(log_dir))
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
        note = f"loss {float(report.loss.eq13):.3f}  {rate:.2f} steps/s{self._validation}"
        self._progress.update(self._bar, note=note)
        self._write(report, rate)

    def validation(self, step: int, result: Validation) -> None:
        """Print and log a validation."""
        mark = " (best)" if result.best else ""
        self._validation = f"  held-out {result.error:.4f}"
        self._console.print(
            f"step {step}: held-out L1 cold {result.cold:.4f}, streamed {result.warm:.4f}{mark}"
        )
        self._writer.add_scalar("validation/cold", result.cold, step)
        self._writer.add_scalar("validation/streamed", result.warm, step)
        self._mark = time.perf_counter()

    def _write(self, report: StepReport, rate: float) -> None:
        loss = report.loss
        scalars = {"loss/eq13": loss.eq13, "gradient_norm": report.gradient_norm, "rate": report.rate}
        scalars |= {f"loss_by_round/cold_{i}": v for i, v in enumerate(loss.cold)}
        scalars |= {f"loss_by_round/streamed_{i}": v for i, v in enumerate(loss.stream)}
        scalars |= {f"residual/round_{i}": v for i, v in enumerate(loss.residual)}
        scalars |= {f"violation/round_{i}": v for i, v in enumerate(loss.violation)}
        for name, value in (scalars | {"steps_per_second": rate}).items():
            self._writer.add_scalar(name, float(value), report.step)
