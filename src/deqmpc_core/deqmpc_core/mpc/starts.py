"""First guesses of a cold solve: hovering in place, and places drawn out to either side of the way."""

import torch
from torch import Tensor

from deqmpc_core.mpc.problem import Problem
from deqmpc_core.mpc.warm_start import cold_start
from deqmpc_core.systems.system import System
from deqmpc_core.types import SolverState

MAX_STARTS = 4
_DRAWN = 0.5  # of the way's length
_SHORTEST = 0.3  # m


def cold_starts(system: System, problem: Problem, penalty: float, starts: int) -> list[SolverState]:
    """`starts` guesses: x0 held at every knot under the reference control; then with positions that move to
    the left, up and to the right of the straight way to the last waypoint. Without a position they all
    hold."""
    horizon, count = problem.reference.shape[1], problem.radius.shape[1]
    own = len(system.symbolic_inequalities)
    hold = cold_start(problem.x0, problem.control_reference, count, horizon, penalty, own)
    if system.position is None or starts == 1:
        return [hold] * starts
    place = slice(system.position, system.position + 3)
    return [hold, *(_drawn(hold, offset, place) for offset in _sideways(problem, place)[: starts - 1])]


def _sideways(problem: Problem, place: slice) -> list[Tensor]:
    """Offsets (B, 3) [m] of the last knot: left, up, right of the way from x0 to the last waypoint."""
    way = (problem.reference[:, -1, place] - problem.x0[:, place]).detach()
    way = torch.nan_to_num(way)
    length = way.norm(dim=-1, keepdim=True).clamp_min(_SHORTEST)
    vertical = torch.zeros_like(way)
    vertical[:, 2] = 1.0
    side = torch.linalg.cross(way / length, vertical)
    sidewards = torch.zeros_like(way)
    sidewards[:, 0] = 1.0
    side = torch.where(side.norm(dim=-1, keepdim=True) < 1e-6, sidewards, side)
    side = side / side.norm(dim=-1, keepdim=True)
    up = torch.linalg.cross(side, way / length)
    return [_DRAWN * length * direction for direction in (side, up, -side)]


def _drawn(hold: SolverState, offset: Tensor, place: slice) -> SolverState:
    x = hold.x.clone()
    share = torch.linspace(0.0, 1.0, x.shape[1], dtype=x.dtype, device=x.device)
    x[..., place] += share[None, :, None] * offset[:, None]
    return hold._replace(x=x)
