"""Random search for a first plan where no descent from rest finds one: swings that must be found."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from deqmpc_core.tasks import Task

_ROUNDS, _TRIALS, _NODES = 12, 24, 12
_FIRST, _DECAY = 1.5, 0.75  # spread of the draws in half ranges of the control, its factor each round
_SEED = 0

Objective = Callable[[Tensor, Tensor], Tensor]


def searched(task: Task, x0: Tensor, count: int, objective: Objective) -> Iterator[tuple[Tensor, Tensor]]:
    """`count` plans x (B, T+1, n), u (B, T, m) from x0 (B, n) over T = task.horizon, each the end of a random
    climb of objective(x (..., T+1, n), u (..., T, m)) -> (...).

    Every sample sees the same draws, so that its plan does not depend on the batch.
    """
    generator = torch.Generator().manual_seed(_SEED)
    middle, half = 0.5 * (task.u_hi + task.u_lo), 0.5 * (task.u_hi - task.u_lo)
    u = middle.expand(x0.shape[0], count, task.horizon, task.m)
    for round_ in range(_ROUNDS):
        draws = _draws(generator, count, task.horizon, task.m).to(x0)
        if round_:
            draws[:, 0] = 0.0  # the best so far stays in the race
        trials = task.limited(u[:, :, None] + _FIRST * _DECAY**round_ * half * draws)
        value = objective(rolled(task, x0, trials), trials)
        best = torch.nan_to_num(value, nan=-torch.inf).argmax(2)
        u = torch.take_along_dim(trials, best[:, :, None, None, None], 2)[:, :, 0]
    x = rolled(task, x0, u)
    for i in range(count):
        yield x[:, i].contiguous(), u[:, i].contiguous()


def rolled(task: Task, x0: Tensor, u: Tensor) -> Tensor:
    """States (B, ..., T+1, n) that controls u (B, ..., T, m) lead to from x0 (B, n), angles unwrapped."""
    x = x0.reshape(x0.shape[0], *[1] * (u.ndim - 3), -1).expand(*u.shape[:-2], -1)
    states = [x]
    for t in range(u.shape[-2]):
        x = task.system.rk4(x, u[..., t, :], task.dt, task.substeps)
        states.append(x)
    return torch.stack(states, -2)


def _draws(generator: torch.Generator, count: int, horizon: int, controls: int) -> Tensor:
    """Normal draws (count, trials, T, m), linear between nodes."""
    nodes = torch.randn(count * _TRIALS, controls, _NODES, generator=generator, dtype=torch.float64)
    drawn = functional.interpolate(nodes, horizon, mode="linear", align_corners=True)
    return drawn.transpose(1, 2).reshape(count, _TRIALS, horizon, controls)
