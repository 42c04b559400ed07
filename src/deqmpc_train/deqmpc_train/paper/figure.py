"""What a figure is: a declared grid of jobs, what is read from their results, claims, and a plot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from matplotlib.figure import Figure as Canvas

from deqmpc_train.paper.jobs import Plan
from deqmpc_train.paper.ledger import Found
from deqmpc_train.paper.measured import Measured
from deqmpc_train.paper.rule import Finding
from deqmpc_train.sweep import Job

FOUR = ("deqmpc-deq", "deqmpc-nn", "diffmpc-deq", "diffmpc-nn")
SIX = (*FOUR, "deq", "nn")
PAIRS = (("deqmpc-deq", "diffmpc-deq"), ("deqmpc-nn", "diffmpc-nn"))
"""Each of ours beside the baseline with the same network."""


class Cell(NamedTuple):
    """A point of a figure: task, variant, and where it stands on the axis."""

    task: str
    variant: str
    x: float = 0.0


Grid = Mapping[Cell, Sequence[Job]]
"""The jobs behind each point, one a split."""


class Axis(NamedTuple):
    """label: with its unit. log: whether logarithmic."""

    label: str
    log: bool = False


class Results:
    """A figure's results: `found` by cell as the jobs left them, `measured` as the figure shows them,
    `compared` as its claims read them."""

    def __init__(self, figure: "Figure", grid: Grid, found: Found) -> None:
        self.figure = figure
        self.found = {cell: [found.result(job) for job in jobs] for cell, jobs in grid.items()}
        self.measured = {cell: figure.measure(cell, found) for cell, found in self.found.items()}
        compare = figure.compare or figure.measure
        self.compared = {cell: compare(cell, found) for cell, found in self.found.items()}

    @property
    def tasks(self) -> list[str]:
        """In the order of the grid."""
        return list(dict.fromkeys(cell.task for cell in self.found))

    @property
    def variants(self) -> list[str]:
        """In the order of the grid."""
        return list(dict.fromkeys(cell.variant for cell in self.found))

    @property
    def xs(self) -> list[float]:
        """Where points are, from low to high."""
        return sorted({cell.x for cell in self.found})

    def of(self, variant: str, x: float | None = None, task: str | None = None) -> Measured:
        """A cell's figure as claims read it; without x or task those of the first cell."""
        first = next(iter(self.found))
        return self.compared[Cell(task or first.task, variant, first.x if x is None else x)]


@dataclass(frozen=True)
class Claim:
    """text: what the paper says, in our words. where: in it. test: the finding, from results."""

    text: str
    where: str
    test: Callable[[Results], Finding]


@dataclass(frozen=True)
class Figure:
    """name: as on the command line. title, and caption: what is shown, and how it was made where the paper
    leaves that open. x, y: the axes. grid: its jobs. measure: a point's figure, from its jobs' results.
    claims: of the paper. draw: onto a canvas; by default lines over x, a colour a variant. tables: further
    lines of markdown. pooled: the jobs of a point are blocks of one policy's flights, not splits. compare: a
    point's figure as claims read it, where that is another than the one shown."""

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    grid: Callable[[Plan], Grid]
    measure: Callable[[Cell, Sequence[dict[str, Any]]], Measured]
    claims: tuple[Claim, ...]
    draw: Callable[[Results, Canvas], None] | None = None
    tables: Callable[[Results], list[str]] | None = None
    pooled: bool = False
    compare: Callable[[Cell, Sequence[dict[str, Any]]], Measured] | None = None
