"""The loss of a training window: Eq. 13 over all rounds of the cold tick and of the streamed ones."""

from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.policies import Policy
from deqmpc_core.types import Iterate, Observation
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Window


class WindowLoss(NamedTuple):
    """total: what is minimised. eq13: the paper's loss alone, in state units. cold (N,), stream (L *
    rounds,): its terms by round. residual (N,) mean fixed-point residual, violation (N,) worst, of the cold
    rounds. rounds: every iterate, for the guard against non-finite numbers."""

    total: Tensor
    eq13: Tensor
    cold: Tensor
    stream: Tensor
    residual: Tensor
    violation: Tensor
    rounds: tuple[Iterate, ...]


def l1_error(x: Tensor, target: Tensor, mask: Tensor, units: Tensor | None = None) -> Tensor:
    """Mean over samples and valid knots of |x - target|_1: x, target (B, T, n), mask (B, T), units (n,)."""
    difference = (x - target).abs()
    if units is not None:
        difference = difference / units
    return (difference.sum(-1) * mask).sum() / mask.sum().clamp_min(1)


def supervised_rounds(rounds: tuple[Iterate, ...], target: Tensor, mask: Tensor, config: TrainConfig,
                      units: Tensor | None) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Per round (I,): Eq. 13's term, and what is minimised for it."""
    printed = torch.stack([l1_error(r.x[:, 1:], target, mask) for r in rounds])
    chosen = (
        printed if units is None else torch.stack([l1_error(r.x[:, 1:], target, mask, units) for r in rounds])
    )
    if config.theta_weight:
        waypoints = torch.stack([l1_error(r.theta, target, mask, units) for r in rounds])
        chosen = chosen + config.theta_weight * waypoints
    return printed, chosen


def window_loss(
    policy: Policy, window: Window, config: TrainConfig, units: Tensor | None = None
) -> WindowLoss:
    """Run a cold tick at the window's first state, then L warm ones at the expert's next states (Section
    4.2.3)."""
    horizon, through = config.policy.horizon, config.backprop == "through"
    state = policy.initial_state(window.x.shape[0])
    printed, chosen, iterates, cold_info = [], [], [], None
    for tick in range(config.stream_steps + 1):
        observation = Observation(window.x[:, tick])
        plan, state = policy.unroll(observation, state, config.stream_rounds, through=through)
        knots = slice(tick + 1, tick + horizon + 1)
        terms = supervised_rounds(plan.rounds, window.x[:, knots], window.mask[:, knots], config, units)
        printed.append(terms[0])
        chosen.append(terms[1])
        iterates += plan.rounds
        cold_info = cold_info or plan.info
    assert cold_info is not None
    stream = torch.cat(printed[1:]) if len(printed) > 1 else printed[0][:0]
    return WindowLoss(
        torch.cat(chosen).sum(), torch.cat(printed).sum().detach(), printed[0].detach(), stream.detach(),
        cold_info.residual.detach().mean(1), cold_info.violation.amax(1), tuple(iterates),
    )  # fmt: skip


def final_errors(policy: Policy, window: Window, config: TrainConfig) -> tuple[float, float]:
    """Without gradients: L1 error per knot of the last iterate, cold and averaged over the streamed ticks."""
    with torch.inference_mode():
        loss = window_loss(policy, window, config)
    last = (
        loss.stream[config.stream_rounds - 1 :: config.stream_rounds]
        if policy.asks_every_round
        else loss.stream
    )
    warm = last.mean() if last.numel() else loss.cold[-1]
    return float(loss.cold[-1]), float(warm)
