"""The live table of a sweep."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deqmpc_train.sweep.run import Board

_ROWS = 16
_EVERY = 15.0  # s between lines where nobody watches


class LiveBoard:
    """Context manager; call it with a Board. On a terminal a table that renews itself, else now and then a
    line."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._told = 0.0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, board: Board) -> None:
        """Show how it stands."""
        if self._console.is_terminal:
            self._live.update(drawn(board))
        elif time.monotonic() - self._told >= _EVERY:
            self._told = time.monotonic()
            self._console.print(sentence(board), markup=False, highlight=False)


def drawn(board: Board) -> RenderableType:
    """The table."""
    table = Table("job", "done", "", "seconds", "left", box=None)
    for job, progress in board.running[:_ROWS]:
        share, wall = progress.share, progress.wall_seconds
        left = duration(wall * (1.0 - share) / share) if share > 0.02 else ""
        table.add_row(job.name, f"{share:.0%}", ProgressBar(1.0, share, width=20), f"{wall:.0f}", left)
    failed = [Text(f"failed: {name}: {why}", style="red") for name, why in board.failed.items()]
    return Group(table, *failed[-3:], Text(sentence(board)))


def sentence(board: Board) -> str:
    """One line."""
    failed = f", {len(board.failed)} failed" if board.failed else ""
    left = f", about {duration(board.seconds_left)} left" if board.seconds_left else ""
    return f"{board.done} of {board.total} jobs done, {len(board.running)} running{failed}{left}"


def duration(seconds: float) -> str:
    """As people say it."""
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"
