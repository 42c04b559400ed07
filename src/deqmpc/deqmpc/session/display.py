"""What a user sees while a run flies, and the table at its end."""

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deqmpc.session.settings import RunSettings
from deqmpc.session.track import Track

RECENT = 50
COLUMNS = ("", "return", "of expert", "success", "failures")


class Progress:
    """A line that renews itself four times a second on a terminal; elsewhere one line an episode."""

    def __init__(self, console: Console, settings: RunSettings) -> None:
        self._console, self._settings = console, settings
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )
        self._said: set[int] = set()

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, track: Track) -> None:
        """Renew the line; a finished episode leaves one."""
        if self._live:
            self._live.update(self._line(track))
        if track.verdict is not None and track.episode not in self._said:
            self._said.add(track.episode)
            self._console.print(_verdict_line(track), highlight=False, markup=False, soft_wrap=True)

    def note(self, sentence: str) -> None:
        """Say what goes on outside a flight."""
        if self._live:
            self._live.update(Text(sentence))

    def _line(self, track: Track) -> Table:
        settings, table = self._settings, Table.grid(padding=(0, 3))
        recent = track.tick_ms[-RECENT:]
        tick = f"{max(recent):5.1f} ms" if recent else "-"
        table.add_row(
            f"episode {track.episode + 1}/{settings.episodes}",
            f"{track.phase or 'waiting':8}",
            f"policy {track.flown * settings.period:5.1f} of {settings.steps * settings.period:.0f} s",
            f"goal {track.distance:5.2f} m",
            f"nearest obstacle {track.nearest:5.2f} m",
            f"slowest recent tick {tick}",
        )
        return table


def _verdict_line(track: Track) -> str:
    verdict = track.verdict
    if verdict is None:
        return f"episode {track.episode}: no verdict"
    words = [f"episode {track.episode}: {verdict.outcome}; return {verdict.return_:.1f}"]
    if math.isfinite(verdict.final_distance):
        words.append(f"{verdict.final_distance:.2f} m from the goal")
    if math.isfinite(verdict.min_obstacle_distance):
        words.append(f"nearest obstacle {verdict.min_obstacle_distance:.2f} m")
    return ", ".join(words)


def summary_table(policy: str, document: dict[str, Any]) -> Table:
    """Policy and baselines side by side."""
    table = Table(*COLUMNS, title=f"{len(document['episodes'])} episodes")
    rows = [(policy, document), *document["baselines"].items()]
    for name, group in rows:
        table.add_row(
            name,
            _number(group["return_mean"], "{:.1f}"),
            _number(group["normalised_return"], "{:.3f}"),
            _number(group["success_rate"], "{:.0%}"),
            _number(group["failure_rate"], "{:.0%}"),
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def report_lines(tracks: Sequence[Track]) -> list[str]:
    """What happened in episodes with faults or deaths, for the screen."""
    return [f"episode {track.episode}, {line}" for track in tracks for line in track.report()]
