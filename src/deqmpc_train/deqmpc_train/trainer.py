"""One training run: steps, validation, checkpoints; bit-for-bit resumable."""

import copy
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.nets import WaypointNetwork
from deqmpc_core.policies import Policy, make_policy
from deqmpc_core.tasks import Task
from deqmpc_train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from deqmpc_train.config import TrainConfig, same_but
from deqmpc_train.data import Episodes, Window, Windows, scaling
from deqmpc_train.guard import check_finite
from deqmpc_train.loss import WindowLoss, final_errors, window_loss

_VALIDATION_BATCH = 200


class StepReport(NamedTuple):
    """A step's number (from 1), its loss, gradient norm before clipping, learning rate."""

    step: int
    loss: WindowLoss
    gradient_norm: float
    rate: float


class Validation(NamedTuple):
    """L1 error per knot of the last iterate on held-out windows: cold tick, streamed ticks; whether it is the
    best."""

    cold: float
    warm: float
    best: bool

    @property
    def error(self) -> float:
        """What decides: the mean of both."""
        return 0.5 * (self.cold + self.warm)


class Trainer:
    """Network, optimiser and data of one run; run_dir receives last/, best/ and the batch of a failed
    step."""

    def __init__(self, config: TrainConfig, task: Task, episodes: Episodes, run_dir: Path) -> None:
        self.config, self.task, self.run_dir, self.step = config, task, run_dir, 0
        train, held_out = episodes.split(config.split)
        self.windows = Windows(train, config.window, task.system)
        self.held_out = Windows(held_out, config.window, task.system)
        torch.manual_seed(config.seed)
        self.policy = make_policy(config.policy, task)
        self.network = _network(self.policy)
        units = scaling(self.windows, task, config.policy.horizon)
        self.network.set_scaling(units)
        self.units = units.state_scale if config.loss_units == "spread" else None
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.best_error = math.inf

    def train_step(self) -> StepReport:
        """Draw a batch, descend once."""
        window = self.windows.draw(self.config.seed, self.step, self.config.batch)
        rate = self._set_rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss = window_loss(self.policy, window, self.config, self.units)
        check_finite(self._named(loss), window, self.step, self.run_dir)
        loss.total.backward()
        norm = self._clip(window)
        self.optimizer.step()
        self.step += 1
        self._track()
        return StepReport(self.step, loss, norm, rate)

    def validate(self) -> Validation:
        """Errors of the averaged weights on a fixed set of held-out windows; the best so far is
        checkpointed."""
        policy, errors, weights = self.averaged_policy(), [], []
        chosen = np.array(self.held_out.spread(self.config.validation_windows))
        for index in np.array_split(chosen, math.ceil(len(chosen) / _VALIDATION_BATCH)):
            errors.append(final_errors(policy, self.held_out.take(index), self.config))
            weights.append(len(index))
        cold, warm = np.average(np.array(errors), axis=0, weights=weights)
        result = Validation(float(cold), float(warm), 0.5 * (cold + warm) < self.best_error)
        if result.best:
            self.best_error = result.error
            save_checkpoint(self.run_dir / "best", self._checkpoint())
        return result

    def save(self) -> None:
        """Checkpoint the state after the current step as last/."""
        save_checkpoint(self.run_dir / "last", self._checkpoint())

    def resume(self) -> None:
        """Go on from last/; the rest of the run equals an uninterrupted one."""
        checkpoint = load_checkpoint(self.run_dir / "last")
        changed = same_but(self.config, checkpoint.config)
        if changed:
            raise ConfigError(
                f"checkpoint '{self.run_dir / 'last'}' was made with other {', '.join(changed)}; "
                "give the same options or start again without --resume"
            )
        load_module("network", self.network, checkpoint.tensors)
        load_module("ema", self.average, checkpoint.tensors)
        load_optimizer(self.optimizer, checkpoint.tensors)
        torch.set_rng_state(checkpoint.tensors["random"])
        self.step, self.best_error = checkpoint.step, float(checkpoint.notes["best_error"])

    def averaged_policy(self) -> Policy:
        """The policy with the averaged weights (the plain ones when ema is 0)."""
        return type(self.policy)(self.task, self.policy.solver, self.config.policy, self.average)

    def best_policy(self) -> Policy:
        """The policy with the averaged weights of the best validation."""
        policy = self.averaged_policy()
        policy.network = copy.deepcopy(self.average)
        load_module("ema", policy.network, load_checkpoint(self.run_dir / "best").tensors)
        return policy

    def _checkpoint(self) -> Checkpoint:
        tensors = module_tensors("network", self.network) | module_tensors("ema", self.average)
        tensors |= optimizer_tensors(self.optimizer) | {"random": torch.get_rng_state()}
        return Checkpoint(tensors, self.step, self.config, {"best_error": self.best_error})

    def _set_rate(self) -> float:
        config = self.config
        progress = self.step / config.steps
        cosine = config.final_rate + (1.0 - config.final_rate) * 0.5 * (1.0 + math.cos(math.pi * progress))
        rate = config.learning_rate * cosine * min(1.0, (self.step + 1) / max(config.warmup, 1))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _clip(self, window: Window) -> float:
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        if not torch.isfinite(norm):
            gradients = {
                f"gradient of {k}": p.grad for k, p in self.network.named_parameters() if p.grad is not None
            }
            check_finite(gradients | {"gradient norm": norm}, window, self.step, self.run_dir)
        return float(norm)

    def _track(self) -> None:
        decay = min(self.config.ema, self.step / (self.step + 9.0)) if self.config.ema else 0.0
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1.0 - decay)

    def _named(self, loss: WindowLoss) -> dict[str, Tensor]:
        """What the guard looks at; when anything in it is not finite, the parameters come first."""
        named: dict[str, Tensor] = {}
        for number, iterate in enumerate(loss.rounds):
            named |= {f"theta of round {number}": iterate.theta, f"x of round {number}": iterate.x}
        named["loss"] = loss.total
        if all(torch.isfinite(v).all() for v in named.values()):
            return {}
        return dict(self.network.named_parameters()) | named


def _network(policy: Policy) -> WaypointNetwork:
    if not isinstance(policy.network, WaypointNetwork):
        raise ConfigError(f"variant '{policy.config.variant}' has no network to train")
    return policy.network
