"""One training run: steps, validation, checkpoints; bit-for-bit resumable."""

import copy
import math
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, TrainingError
from deqmpc_core.files import read_json, write_json
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
from deqmpc_train.held_out import HeldOut, held_out_errors
from deqmpc_train.loss import WindowLoss, window_loss
from deqmpc_train.parallel import Group

_CLOCK = "clock.json"  # beside the checkpoints, so that their bytes do not depend on the time


class StepReport(NamedTuple):
    """A step's number (from 1), its loss, Eq. 13's value, the gradient's norm before clipping, in all and by
    part of the network, learning rate. A process of a group reports its own residuals, violations and
    statuses, and the losses of all."""

    step: int
    loss: WindowLoss
    eq13: float
    gradient_norm: float
    norms: dict[str, float]
    rate: float


class Validation(NamedTuple):
    """Errors on held-out windows; whether they are the best so far."""

    errors: HeldOut
    best: bool


class Trainer:
    """Network, optimiser and data of one run; run_dir receives last/, best/ and the batch of a failed step.

    group: the processes that share every batch. device: where the network is; the solver's kernels stay on
    the CPU.
    """

    def __init__(
        self, config: TrainConfig, task: Task, episodes: Episodes, run_dir: Path,
        group: Group | None = None, device: torch.device | None = None,
    ) -> None:  # fmt: skip
        self.config, self.task, self.run_dir, self.step = config, task, run_dir, 0
        self.group, self.device = group or Group(), device or torch.device("cpu")
        train, held_out = episodes.split(config.split)
        amid = None if task.fixed_layout else task
        self.windows = Windows(train, config.window, task.system, task=amid)
        self.held_out = Windows(held_out, config.window, task.system, task=amid)
        torch.manual_seed(config.seed)
        self.policy = make_policy(config.policy, task)
        self.network = _network(self.policy)
        units = scaling(self.windows, task, config.policy.horizon)
        self.network.set_scaling(units)
        self.network.to(self.device)
        self.units = units.state_scale if config.loss_units == "spread" else None
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=config.learning_rate)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.best_error = math.inf
        self._begun, self._before = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """Spent on the run up to now, the sessions before a resume included."""
        return self._before + time.perf_counter() - self._begun

    def train_step(self) -> StepReport:
        """Draw a batch, descend once."""
        config, group = self.config, self.group
        window = self.windows.draw(config.seed, self.step, config.batch, group.share(config.batch))
        rate = self._set_rate()
        self.optimizer.zero_grad(set_to_none=True)
        with self._precision():
            loss = window_loss(self.policy, window, config, self.units, group.total)
        self._guard(loss, window)
        loss.total.backward()
        group.add_gradients(self.network.parameters())
        norms = self._part_norms()
        norm = self._clip(window)
        self.optimizer.step()
        self.step += 1
        self._track()
        loss = loss._replace(cold=group.total(loss.cold), stream=group.total(loss.stream))
        return StepReport(self.step, loss, loss.eq13(config.policy.horizon), norm, norms, rate)

    def validate(self) -> Validation:
        """Errors of the averaged weights on a fixed set of held-out windows; the best so far is
        checkpointed."""
        config = self.config
        policy, windows = self.averaged_policy(), config.validation_windows
        errors = held_out_errors(policy, self.held_out, windows, config, self.group)
        result = Validation(errors, errors.error < self.best_error)
        if result.best:
            self.best_error = errors.error
            self._write("best")
        return result

    def save(self) -> None:
        """Checkpoint the state after the current step as last/."""
        self._write("last")
        if self.group.leads:
            write_json(self.run_dir / _CLOCK, {"seconds": self.seconds})

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
        self.group.wait()  # nobody writes before all have read
        self.step, self.best_error = checkpoint.step, float(checkpoint.notes["best_error"])
        clock = self.run_dir / _CLOCK
        self._before = float(read_json(clock)["seconds"]) if clock.is_file() else 0.0

    def averaged_policy(self) -> Policy:
        """The policy with the averaged weights (the plain ones when ema is 0)."""
        return type(self.policy)(self.task, self.policy.solver, self.config.policy, self.average)

    def best_policy(self) -> Policy:
        """The policy with the averaged weights of the best validation."""
        policy = self.averaged_policy()
        policy.network = copy.deepcopy(self.average)
        load_module("ema", policy.network, load_checkpoint(self.run_dir / "best").tensors)
        return policy

    def _write(self, name: str) -> None:
        if self.group.leads:
            save_checkpoint(self.run_dir / name, self._checkpoint())

    def _precision(self) -> AbstractContextManager[object]:
        """bfloat16 in the network's products if asked for; the solver's float64 tensors stay as they are."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.config.bf16 else nullcontext()

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

    def _part_norms(self) -> dict[str, float]:
        """Norm of the gradient of each part of the network, by its name."""
        found: dict[str, list[Tensor]] = {}
        for name, value in self.network.named_parameters():
            if value.grad is not None:
                found.setdefault(name.partition(".")[0], []).append(value.grad.norm())
        return {name: float(torch.stack(norms).norm()) for name, norms in found.items()}

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

    def _guard(self, loss: WindowLoss, window: Window) -> None:
        """Every process stops where one of them meets a number that is not finite."""
        named = self._named(loss)
        if self.group.total(torch.tensor(float(bool(named)))):
            check_finite(named, window, self.step, self.run_dir)
            raise TrainingError(f"step {self.step}: a number of another process is not finite; it says which")

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
