"""Random search for a first plan where no descent from rest finds one: swings that must be found."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from deqmpc_core.tasks import Task

_ROUNDS, _TRIALS, _NODES = 12, 24, 12
_FIRST, _DECAY = 1.5, 0.75  # spread of the draws in half ranges of the control, its factor each round
_SEED = 0

_CHEAPEST, _DEARER = 10.0, 4.0  # price of a jump to the goal in the first climb, and its factor for the next

Worth = Callable[[Tensor, Tensor, Tensor], Tensor]


def searched(task: Task, x0: Tensor, count: int, worth: Worth) -> Iterator[tuple[Tensor, Tensor]]:
    """`count` plans x (B, T+1, n), u (B, T, m) from x0 (B, n) over T = task.horizon, each the end of a random
    climb: worth(x (..., T+1, n), u (..., T, m), price) -> (..., T) is what a plan is worth that jumps to the
    goal at knot 1..T, and counts where it is highest. From that knot on the plan stays there: no draw holds
    a robot in an unstable place, the solver does. Every climb pays another price for its jump.

    Every sample sees the same draws, so that its plan does not depend on the batch.
    """
    generator = torch.Generator().manual_seed(_SEED)
    middle, half = 0.5 * (task.u_hi + task.u_lo), 0.5 * (task.u_hi - task.u_lo)
    u = middle.expand(x0.shape[0], count, task.horizon, task.m)
    price = _CHEAPEST * _DEARER ** torch.arange(count, dtype=x0.dtype)[:, None]
    for round_ in range(_ROUNDS):
        draws = _draws(generator, count, task.horizon, task.m).to(x0)
        if round_:
            draws[:, 0] = 0.0  # the best so far stays in the race
        trials = task.limited(u[:, :, None] + _FIRST * _DECAY**round_ * half * draws)
        value = _known(worth(rolled(task, x0, trials), trials, price[:, None])).amax(-1)
        u = torch.take_along_dim(trials, value.argmax(2)[:, :, None, None, None], 2)[:, :, 0]
    x = rolled(task, x0, u)
    end = _known(worth(x, u, price)).argmax(-1) + 1
    for i in range(count):
        yield _held(task, x[:, i], u[:, i], end[:, i])


def _held(task: Task, x: Tensor, u: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """The plan x (B, T+1, n), u (B, T, m) up to knot end (B,), then at the goal."""
    late = torch.arange(x.shape[1]) > end[:, None]
    last = torch.take_along_dim(x, end[:, None, None], 1)
    goal = task.system.to_branch(task.goal.to(x).expand_as(last), last)
    x = torch.where(late[..., None], goal, x)
    return x, torch.where(late[:, 1:, None], task.control_reference.to(u), u)


def rolled(task: Task, x0: Tensor, u: Tensor) -> Tensor:
    """States (B, ..., T+1, n) that controls u (B, ..., T, m) lead to from x0 (B, n), angles unwrapped."""
    x = x0.reshape(x0.shape[0], *[1] * (u.ndim - 3), -1).expand(*u.shape[:-2], -1)
    states = [x]
    for t in range(u.shape[-2]):
        x = task.system.rk4(x, u[..., t, :], task.dt, task.substeps)
        states.append(x)
    return torch.stack(states, -2)


def _known(value: Tensor) -> Tensor:
    return torch.nan_to_num(value, nan=-torch.inf)


def _draws(generator: torch.Generator, count: int, horizon: int, controls: int) -> Tensor:
    """Normal draws (count, trials, T, m), linear between nodes."""
    nodes = torch.randn(count * _TRIALS, controls, _NODES, generator=generator, dtype=torch.float64)
    drawn = functional.interpolate(nodes, horizon, mode="linear", align_corners=True)
    return drawn.transpose(1, 2).reshape(count, _TRIALS, horizon, controls)
