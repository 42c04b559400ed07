"""The training loop of a learned expert: updates, validation, checkpoints; resumes to the same bytes."""

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.policies import Policy, PolicyConfig, make_policy
from deqmpc_core.policies.actor import Actor
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.envs import episode_starts, roll_out
from deqmpc_train.checkpoint import (
    has_checkpoint,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    read_checkpoint,
    write_checkpoint,
)
from deqmpc_train.experts.actor_critic import Critic, descend, fit_critic, fly, follow
from deqmpc_train.experts.config import ExpertConfig
from deqmpc_train.experts.environments import Environments

_VALIDATION_SEED = 10_000  # starts that neither training nor evaluation uses


class Report(NamedTuple):
    """An update's number (from 1), mean reward of a step, the critic's error, validation return or None."""

    update: int
    reward: float
    critic_error: float
    validation: float | None


class ExpertTrainer:
    """Actor, critic, environments and optimisers of one run; run_dir receives the checkpoint."""

    def __init__(self, config: ExpertConfig, run_dir: Path) -> None:
        self.config, self.run_dir, self.update_count = config, run_dir, 0
        self.task = load_task(config.task, **config.task_options)
        torch.manual_seed(config.seed)
        self.policy = expert_policy(config, self.task)
        self.actor = _actor(self.policy)
        self.actor.log_std.data.fill_(math.log(config.first_spread))
        self.critic = Critic(self.actor.features.width, config.hidden)
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        self.best, self.best_return = copy.deepcopy(self.actor), -math.inf
        betas = (0.7, 0.95)  # of SHAC: gradients of few steps change faster than those of data sets
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), config.actor_rate, betas)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), config.critic_rate, betas)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.environments = Environments(self.task, config.environments, config.seed + 1)

    def begin(self, resume: bool) -> None:
        """Resume, or make sure that no earlier run would be lost."""
        if resume:
            self.resume()
        elif has_checkpoint(self.run_dir / "last"):
            raise ConfigError(
                f"'{self.run_dir}' holds an earlier run; add --resume to go on, or give another --run-dir"
            )

    def update(self) -> Report:
        """Fly, improve the actor, fit the critic."""
        config = self.config
        self._set_rates()
        noise = torch.randn(config.horizon, config.environments, self.task.m, generator=self.generator)
        flight = fly(self.actor, self.target, self.environments, config, noise)
        descend(self.actor_optimizer, -flight.objective, self.actor, config.clip)
        error = fit_critic(self.critic, self.critic_optimizer, flight, config, self.generator)
        follow(self.target, self.critic, config.target_share)
        self.actor.features.observe(flight.raw.flatten(0, 1))
        self.update_count += 1
        due = self.update_count % config.validate_every == 0 or self.update_count == config.updates
        reward = float(flight.rewards.mean()) * config.reward_unit / (1.0 - config.discount)
        return Report(self.update_count, reward, error, self.validate() if due else None)

    def validate(self) -> float:
        """Mean return of the mean control from fixed starts; the best actor so far is kept."""
        starts, centers = episode_starts(self.task, _VALIDATION_SEED, range(self.config.validation_flights))
        flight = roll_out(self.task, self.policy, starts, self.task.episode_steps, centers=centers)
        mean = float(torch.nan_to_num(flight.returns, nan=-math.inf).mean())
        if mean > self.best_return:
            self.best_return = mean
            self.best.load_state_dict(self.actor.state_dict())
        return mean

    def best_policy(self) -> Policy:
        """The policy with the best validated actor."""
        policy = expert_policy(self.config, self.task)
        _actor(policy).load_state_dict(self.best.state_dict())
        _actor(policy).eval().requires_grad_(False)
        return policy

    def save(self) -> None:
        """Replace the checkpoint in run_dir; on a full disk the older one stays."""
        meta = {"update": self.update_count, "best_return": self.best_return,
                "next_episode": self.environments.next, "config": self.config.to_json()}  # fmt: skip
        write_checkpoint(self.run_dir / "last", meta, self._tensors(), f"update {self.update_count}")

    def resume(self) -> None:
        """Go on from the checkpoint; the rest of the run equals an uninterrupted one."""
        place = self.run_dir / "last"
        meta, tensors = read_checkpoint(place)
        if ExpertConfig.from_json(meta["config"]) != self.config:
            raise ConfigError(f"'{place}' was made with other options; give the same or another --run-dir")
        for name, module in self._modules().items():
            load_module(name, module, tensors)
        for name, optimizer in self._optimizers().items():
            load_optimizer(optimizer, _without(f"{name}_", tensors))
        self.generator.set_state(tensors["random"])
        self.environments.x, self.environments.age = tensors["x"], tensors["age"]
        self.environments.centers = tensors.get("centers")
        self.update_count, self.best_return = int(meta["update"]), float(meta["best_return"])
        self.environments.next = int(meta["next_episode"])

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"actor": self.actor, "critic": self.critic, "target": self.target, "best": self.best}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"actor": self.actor_optimizer, "critic": self.critic_optimizer}

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {"random": self.generator.get_state(), "x": self.environments.x,
                   "age": self.environments.age}  # fmt: skip
        if self.environments.centers is not None:
            tensors["centers"] = self.environments.centers
        for name, module in self._modules().items():
            tensors |= module_tensors(name, module)
        for name, optimizer in self._optimizers().items():
            tensors |= {f"{name}_{k}": v for k, v in optimizer_tensors(optimizer).items()}
        return tensors

    def _set_rates(self) -> None:
        left = 1.0 - self.update_count / self.config.updates
        share = self.config.final_rate + (1.0 - self.config.final_rate) * max(left, 0.0)
        for optimizer, rate in (
            (self.actor_optimizer, self.config.actor_rate), (self.critic_optimizer, self.config.critic_rate),
        ):  # fmt: skip
            optimizer.param_groups[0]["lr"] = rate * share


def run(trainer: ExpertTrainer, note: Callable[[Report], None] = lambda report: None) -> None:
    """The loop: update, note, checkpoint."""
    config = trainer.config
    while trainer.update_count < config.updates:
        note(trainer.update())
        if trainer.update_count % config.checkpoint_every == 0 or trainer.update_count == config.updates:
            trainer.save()


def expert_policy(config: ExpertConfig, task: Task) -> Policy:
    """A policy of variant expert-rl with an untrained actor."""
    shape = PolicyConfig(
        config.task, "expert-rl", hidden=config.hidden, horizon=task.horizon, task_options=config.task_options
    )
    return make_policy(shape, task)


def _actor(policy: Policy) -> Actor:
    assert isinstance(policy.network, Actor)
    return policy.network


def _without(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
