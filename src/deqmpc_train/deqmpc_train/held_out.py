"""Validation: L1 error per knot on held-out windows, by round (Section 5, A.6.2)."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.policies import Policy
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Window, Windows
from deqmpc_train.loss import window_loss
from deqmpc_train.parallel import Group

_BATCH = 200


class HeldOut(NamedTuple):
    """Mean over windows and knots of |x - x_expert|_1 in state units: rounds (N,) of a cold tick, and the
    last round of each of the L streamed ticks."""

    rounds: Tensor
    ticks: Tensor

    @property
    def cold(self) -> float:
        """Of the cold tick's last round."""
        return float(self.rounds[-1])

    @property
    def warm(self) -> float:
        """Mean over the streamed ticks; the cold one's where there are none."""
        return float(self.ticks.mean()) if self.ticks.numel() else self.cold

    @property
    def error(self) -> float:
        """The mean of cold and streamed: what chooses weights and learning rates."""
        return 0.5 * (self.cold + self.warm)


def held_out_errors(
    policy: Policy, windows: Windows, count: int, config: TrainConfig, group: Group | None = None
) -> HeldOut:
    """Errors on at most `count` evenly spaced windows, without gradients; the processes of a group share
    them."""
    group = group or Group()
    chosen = np.array(windows.spread(count))
    batches = np.array_split(chosen, math.ceil(len(chosen) / _BATCH))
    parts = [_sums(policy, windows.take(index[group.share(len(index))]), config) for index in batches]
    errors, knots = group.total(torch.stack(parts).sum(0))
    means = errors / knots.clamp_min(1)
    each = _rounds_of_a_tick(policy, config)
    streamed = each * config.stream_steps
    return HeldOut(means[: len(means) - streamed], means[len(means) - streamed :][each - 1 :: each])


def _rounds_of_a_tick(policy: Policy, config: TrainConfig) -> int:
    return config.stream_rounds if policy.asks_every_round else 1


def _sums(policy: Policy, window: Window, config: TrainConfig) -> Tensor:
    """Summed errors and the valid knots behind them, (2, N + L * rounds)."""
    with torch.inference_mode():
        loss = window_loss(policy, window, config)
    horizon, ticks = config.policy.horizon, range(config.stream_steps + 1)
    valid = torch.stack([window.mask[:, t + 1 : t + horizon + 1].sum() for t in ticks])
    repeats = [len(loss.cold), *[_rounds_of_a_tick(policy, config)] * config.stream_steps]
    knots = valid.repeat_interleave(torch.tensor(repeats)).to(loss.cold)
    return torch.stack((torch.cat((loss.cold, loss.stream)) * knots, knots))
