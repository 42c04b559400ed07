"""Anderson acceleration of z = d(z) (Anderson 1965, Walker and Ni 2011), each sample on its own.

A sample stops when its own residual is small and leaves the batch; no number of one sample enters another's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Cell = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class AndersonConfig:
    """memory: past evaluations mixed; beta: share of d(z) against z in the mix; tolerance: relative residual
    at which a sample stops; evaluations: at most so many calls of d; damping: Tikhonov term of the mixing
    problem."""

    memory: int = 5
    beta: float = 0.8
    tolerance: float = 1e-2
    evaluations: int = 10
    damping: float = 1e-5


class FixedPoint(NamedTuple):
    """d(z) at the sample's best z (B, ...), the relative residual there (B,), evaluations spent (B,)."""

    z: Tensor
    residual: Tensor
    evaluations: Tensor


def anderson(cell: Cell, start: Tensor, config: AndersonConfig) -> FixedPoint:
    """Solve z = cell(z, rows) from start (B, ...).

    cell receives the samples that still run and their row numbers (None: all of them, in order).
    """
    search = _Search(start, config)
    for turn in range(config.evaluations):
        z = search.next(turn)
        search.record(turn, z, cell(z.view(-1, *start.shape[1:]), search.rows).flatten(1))
        if search.done:
            break
    return FixedPoint(search.best.view(start.shape), search.residual, search.spent)


class _Search:
    """The history of the running samples and the best answer of every sample.

    Kept per past evaluation: the residual at unit length, one over its length, and the point it votes for.
    """

    def __init__(self, start: Tensor, config: AndersonConfig) -> None:
        self.config = config
        self.first = self.best = start.flatten(1)
        (batch, size), slots = self.first.shape, min(config.memory, config.evaluations)
        self.units, self.votes = start.new_empty(batch, slots, size), start.new_empty(batch, slots, size)
        self.inverses = start.new_empty(batch, slots)
        self.ridge = config.damping * torch.eye(slots, dtype=start.dtype, device=start.device)
        self.residual = start.new_full((batch,), torch.inf)
        self.spent = torch.zeros(batch, dtype=torch.long, device=start.device)
        self.rows: Tensor | None = None
        self.done = batch == 0

    def next(self, turn: int) -> Tensor:
        """The point to evaluate: the start, then the mix with the smallest linearised residual, (A, d)."""
        if turn == 0:
            return self.first
        if turn == 1:
            return self.votes[:, 0]
        known = min(turn, self.units.shape[1])
        with torch.autocast(self.first.device.type, enabled=False):  # the mix is ill-conditioned
            weights = self._weights(self.units[:, :known], self.inverses[:, :known])
            return torch.bmm(weights.mT, self.votes[:, :known])[:, 0]

    def record(self, turn: int, z: Tensor, image: Tensor) -> None:
        """Store an evaluation, keep it where it is a sample's best, and let the finished samples go."""
        slot, gap = turn % self.units.shape[1], image - z
        length = torch.linalg.vector_norm(gap, dim=1)
        tiny = torch.finfo(z.dtype).tiny
        inverse = length.clamp_min(tiny**0.5).reciprocal()
        torch.mul(gap, inverse[:, None], out=self.units[:, slot])
        torch.add(image, gap, alpha=self.config.beta - 1.0, out=self.votes[:, slot])
        self.inverses[:, slot] = inverse
        residual = length / torch.linalg.vector_norm(image, dim=1).clamp_min(tiny)
        self._keep_best(image, residual)
        running = residual >= self.config.tolerance
        if not running.all():
            self._retain(running)

    def _keep_best(self, image: Tensor, residual: Tensor) -> None:
        if self.rows is None:
            better = residual < self.residual
            self.best = torch.where(better[:, None], image, self.best)
            self.residual = torch.where(better, residual, self.residual)
            self.spent += 1
            return
        rows = self.rows
        better = residual < self.residual[rows]
        self.best[rows] = torch.where(better[:, None], image, self.best[rows])
        self.residual[rows] = torch.where(better, residual, self.residual[rows])
        self.spent[rows] += 1

    def _retain(self, running: Tensor) -> None:
        kept = running.nonzero()[:, 0]
        self.done = kept.numel() == 0
        if self.done:
            return
        self.rows = kept if self.rows is None else self.rows[kept]
        self.units, self.votes, self.inverses = self.units[kept], self.votes[kept], self.inverses[kept]

    def _weights(self, units: Tensor, inverses: Tensor) -> Tensor:
        """Weights a (A, k, 1), sum 1, of least |sum_i a_i gap_i|; unit rows make the damping scale-free."""
        known = units.shape[1]
        gram = torch.baddbmm(self.ridge[:known, :known], units, units.mT)
        scale = (inverses / inverses.amax(1, keepdim=True))[..., None]
        wide = torch.promote_types(gram.dtype, torch.float32)  # no half precision has a solver
        weights = torch.linalg.solve_ex(gram.to(wide), scale.to(wide))[0].to(scale) * scale
        return weights / weights.sum(1, keepdim=True)
