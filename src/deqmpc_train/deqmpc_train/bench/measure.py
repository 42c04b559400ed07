"""Timing: peers take turns within one run, so that a busy machine is busy for all of them."""

import gc
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from deqmpc_core.errors import ConfigError
from deqmpc_core.testing import Answers, Problems, solved
from deqmpc_train.bench.cases import ProblemSet, Settings
from deqmpc_train.bench.peer import NotSupported, Peer, Run

_SLOWEST = 8.0  # seconds a single call may be expected to take


class Row(NamedTuple):
    """One peer in one cell; median_us_per_solve is None where there is only a note. ratio: to the fastest
    native row of the cell. solved_share: of the `judged` problems that IPOPT solves from the same guess."""

    problem: str
    peer: str
    batch: int
    mode: str
    median_us_per_solve: float | None = None
    ratio: float | None = None
    solved_share: float | None = None
    judged: int = 0
    calls: int = 0
    note: str = ""


class _Contestant:
    """A peer's prepared calls for one cell, their times and their first answers."""

    def __init__(self, peer: Peer, distinct: Problems, answers: Answers, batch: int, mode: str) -> None:
        taken = min(batch, peer.at_most or batch)
        single = batch == 1
        sets = [distinct.take(slice(i, i + 1)) for i in range(distinct.batch)] if single else []
        sets = sets or [distinct.tiled(taken)]
        self.peer, self.size, self._sets, self._answers = peer, sets[0].batch, sets, answers
        self._runs: list[Run] = [peer.prepare(part, mode) for part in sets]
        self._good: list[bool] = []
        self.seconds: list[float] = []

    def first(self, budget: float) -> None:
        """Run every prepared call once, within the budget, and judge the answers."""
        spent = 0.0
        for i, (run, part) in enumerate(zip(self._runs, self._sets, strict=True)):
            begin = time.perf_counter()
            x, u = run()
            took = time.perf_counter() - begin
            rows = [i] if len(self._runs) > 1 else range(min(self.size, len(self._answers.ok)))
            answers = Answers(*(v[list(rows)] for v in self._answers))
            part = part.take(slice(0, len(answers.ok)))
            right = solved(part, x[: part.batch], u[: part.batch], answers)
            self._good += right[answers.ok].tolist()
            spent += took
            if not self.peer.compiles:
                self.seconds.append(took)
            if spent > 2 * budget:
                self._runs = self._runs[: i + 1]
                break

    def once(self, turn: int) -> None:
        """One timed call."""
        run = self._runs[turn % len(self._runs)]
        begin = time.perf_counter()
        run()
        self.seconds.append(time.perf_counter() - begin)

    def judged(self) -> tuple[float | None, int]:
        """Solved share, and of how many."""
        return (sum(self._good) / len(self._good) if self._good else None), len(self._good)


class Stopwatch:
    """Measures problem sets; remembers how long a peer's calls took, to leave out those without an end."""

    def __init__(self, peers: list[Peer], settings: Settings) -> None:
        self._peers, self._settings, self._begin = peers, settings, time.perf_counter()
        self._took: dict[tuple[str, int, bool, str], list[tuple[int, int, float]]] = {}

    def rows(self, problem: ProblemSet) -> Iterator[list[Row]]:
        """The rows of each cell of the set in turn."""
        data = None
        for batch, mode in problem.cells:
            if time.perf_counter() - self._begin > self._settings.limit:
                note = f"not run: {self._settings.limit:.0f} s were over"
                yield [Row(problem.name, peer.name, batch, mode, note=note) for peer in self._peers]
                continue
            data = data or problem.problems(self._settings.folder)
            yield self._cell(problem, *data, batch, mode)

    def _cell(
        self, problem: ProblemSet, distinct: Problems, answers: Answers, batch: int, mode: str
    ) -> list[Row]:
        name, budget, rows, running = problem.name, self._settings.budget, [], []
        for peer in self._peers:
            blank = Row(name, peer.name, batch, mode)
            expected = self._expected(problem, peer, batch)
            if expected > _SLOWEST:
                rows.append(blank._replace(note=f"not run: a call would take some {expected:.0f} s"))
                continue
            try:
                contestant = _Contestant(peer, distinct, answers, batch, mode)
                contestant.first(budget)
                running.append(contestant)
            except NotSupported as error:
                rows.append(blank._replace(note=str(error)))
            except ConfigError as error:
                rows.append(blank._replace(note=f"not available: {error}"))
            except Exception as error:  # of other people's code: their row says so, the rest goes on
                rows.append(blank._replace(note=f"failed: {type(error).__name__}: {error}"))
        _take_turns(running, budget)
        for contestant in running:
            known = self._took.setdefault((*problem.family, contestant.peer.name), [])
            known.append((problem.horizon, contestant.size, min(contestant.seconds)))
        timed = [self._row(Row(name, c.peer.name, batch, mode), c) for c in running]
        return _with_ratios(timed) + rows

    def _expected(self, problem: ProblemSet, peer: Peer, batch: int) -> float:
        """Seconds of a call, guessed from the last one of at most this batch: linear in the horizon, growing
        slower than the batch."""
        size = min(batch, peer.at_most or batch)
        for horizon, known, seconds in reversed(self._took.get((*problem.family, peer.name), [])):
            if known <= size:
                return seconds * max(1.0, problem.horizon / horizon) * (size / known) ** 0.3
        return 0.0

    @staticmethod
    def _row(blank: Row, contestant: _Contestant) -> Row:
        share, judged = contestant.judged()
        median = statistics.median(contestant.seconds) / contestant.size * 1e6
        return blank._replace(
            median_us_per_solve=median, solved_share=share, judged=judged, calls=len(contestant.seconds)
        )


def _take_turns(contestants: list[_Contestant], budget: float, at_most: int = 400) -> None:
    """Every contestant once, then again those whose budget lasts."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(at_most):
            waiting = [c for c in contestants if sum(c.seconds) < budget]
            if not waiting:
                break
            for contestant in waiting:
                contestant.once(turn)
    finally:
        if enabled:
            gc.enable()


def _with_ratios(rows: list[Row]) -> list[Row]:
    native = [r.median_us_per_solve for r in rows if r.peer.startswith("native") and r.median_us_per_solve]
    if not native:
        return rows
    best = min(native)
    return [r._replace(ratio=r.median_us_per_solve / best) for r in rows if r.median_us_per_solve]
