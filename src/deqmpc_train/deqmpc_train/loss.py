"""The loss of a training window: Eq. 13 over all rounds of the cold tick and of the streamed ones.

B batch, T intervals, N rounds of the cold tick, L streamed ticks, n state, k obstacles.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.policies import Policy, sphere_speed
from deqmpc_core.tasks import Task
from deqmpc_core.types import Iterate, Observation, Status
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Window, continuous

Total = Callable[[Tensor], Tensor]


class WindowLoss(NamedTuple):
    """total: what is minimised. cold (N,), stream (L * rounds,): the L1 norm of x - x_expert in state units,
    mean over samples and knots, by round of the cold tick and of the streamed ones. residual (N,) mean
    fixed-point residual, violation (N,) worst, of the cold rounds, NaN where no solver ran. spheres (N,): the
    L1 norm of predicted centres less where they were [m], mean over samples, knots and spheres, of the cold
    rounds; empty where nothing predicts them. status (L+1, S): how many samples ended in which Status, by
    tick. rounds: every iterate, for the guard against non-finite numbers."""

    total: Tensor
    cold: Tensor
    stream: Tensor
    residual: Tensor
    violation: Tensor
    spheres: Tensor
    status: Tensor
    rounds: tuple[Iterate, ...]

    def eq13(self, horizon: int) -> float:
        """Eq. 13: the sum over knots and rounds, of the cold tick and the streamed ones, mean over
        samples."""
        return float(horizon * (self.cold.sum() + self.stream.sum()))


class View(NamedTuple):
    """A window as tick t of it is supervised: the observation at knot t, the expert's states target
    (B, T, n) at knots t+1..t+T on its branch, mask (B, T) and, where spheres differ by episode, their centres
    (B, T, k, 3) at these knots."""

    seen: Observation
    target: Tensor
    mask: Tensor
    centers: Tensor | None


def view(task: Task, window: Window, tick: int, horizon: int) -> View:
    """What tick `tick` sees, as in flight: angles wrapped, the short MRP set, spheres as the task shows
    them."""
    knots = slice(tick + 1, tick + horizon + 1)
    path = window.x[:, tick : tick + horizon + 1]
    if tick:
        start = task.system.wrapped(task.system.to_short_mrp(path[:, 0]), task.angle_low)
        path = continuous(task.system, torch.cat((start[:, None], path[:, 1:]), 1))
    now = None if window.centers is None else window.centers[:, tick]
    later = None if window.centers is None else window.centers[:, knots]
    return View(task.observe(path[:, 0], now, horizon), path[:, 1:], window.mask[:, knots], later)


def l1_error(x: Tensor, target: Tensor, mask: Tensor, count: Tensor, units: Tensor | None = None) -> Tensor:
    """Sum over samples and valid knots of |x - target|_1, over `count`: x, target (B, T, n), mask (B, T),
    units (n,)."""
    difference = (x - target).abs()
    if units is not None:
        difference = difference / units
    return (difference.sum(-1) * mask).sum() / count.clamp_min(1)


def supervised(
    rounds: tuple[Iterate, ...], seen: View, count: Tensor, config: TrainConfig, units: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Per round (I,): Eq. 13's term per knot; and the terms of what is minimised, those of joint_weight
    behind the rounds'."""

    def errors(states: list[Tensor], scale: Tensor | None) -> Tensor:
        return torch.stack([l1_error(x, seen.target, seen.mask, count, scale) for x in states])

    states = [r.x[:, 1:] for r in rounds]
    printed = errors(states, None)
    chosen = printed if units is None else errors(states, units)
    if config.theta_weight:
        chosen = chosen + config.theta_weight * errors([r.theta for r in rounds], units)
    if config.joint_weight and len(states) > 2:
        moved = [l1_error(b, a, seen.mask, count, units) for a, b in pairwise(states[1:])]
        chosen = torch.cat((chosen, config.joint_weight * torch.stack(moved)))
    return printed, chosen


def sphere_errors(rounds: tuple[Iterate, ...], seen: View, count: Tensor) -> Tensor:
    """Per round (I,): mean over samples, valid knots and spheres of the L1 norm of predicted centres less
    where they were [m]; empty where nothing predicts them."""
    if seen.centers is None or rounds[0].centers is None:
        return seen.target.new_zeros(0)
    errors = []
    for iterate in rounds:
        assert iterate.centers is not None
        error = (iterate.centers - seen.centers).abs().sum(-1).mean(-1)
        errors.append((error * seen.mask).sum() / count.clamp_min(1))
    return torch.stack(errors)


def window_loss(
    policy: Policy, window: Window, config: TrainConfig, units: Tensor | None = None,
    total: Total = lambda values: values,
) -> WindowLoss:  # fmt: skip
    """Run a cold tick at the window's first state, then L warm ones at the expert's next states (Section
    4.2.3).

    total: adds a tensor up over the processes that share the batch; means are then over the whole batch, and
    the losses of the processes add up to its loss.
    """
    ticks, horizon = range(config.stream_steps + 1), config.policy.horizon
    counts = total(torch.stack([window.mask[:, t + 1 : t + horizon + 1].sum() for t in ticks]))
    state, through = policy.initial_state(window.x.shape[0]), config.backprop == "through"
    pace = sphere_speed(policy.task) * policy.task.dt  # [m]: the unit of their own loss term
    printed, chosen, spheres, iterates, statuses, cold_info = [], [], [], [], [], None
    for tick in ticks:
        seen = view(policy.task, window, tick, horizon)
        plan, state = policy.unroll(seen.seen, state, config.stream_rounds, through=through)
        terms = supervised(plan.rounds, seen, counts[tick], config, units)
        printed.append(terms[0].detach())
        spheres.append(sphere_errors(plan.rounds, seen, counts[tick]))
        chosen += [terms[1], config.sphere_weight / pace * spheres[-1]]
        iterates += plan.rounds
        statuses.append(torch.bincount(plan.status, minlength=len(Status)))
        cold_info = cold_info or plan.info
    assert cold_info is not None
    stream = torch.cat(printed[1:]) if len(printed) > 1 else printed[0][:0]
    return WindowLoss(
        torch.cat(chosen).sum(), printed[0], stream, cold_info.residual.detach().mean(1),
        cold_info.violation.amax(1), spheres[0].detach(), torch.stack(statuses), tuple(iterates),
    )  # fmt: skip
