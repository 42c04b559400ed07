"""Short-horizon analytic policy gradients with a critic (the family of SHAC and CGAC), on one page.

The actor flies N environments for H steps through the differentiable `task.step`; the gradient of

    sum_t gamma^t r_t + gamma^H V(x_H)

goes back through model and actor. The critic V learns TD(lambda) targets of the same flights, by a target
network; it smooths what lies beyond the horizon, where gradients through time explode.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from deqmpc_core.policies.actor import Actor, perceptron
from deqmpc_core.policies.features import nearest
from deqmpc_core.types import Spheres
from deqmpc_train.experts.config import ExpertConfig
from deqmpc_train.experts.environments import Environments

_CLEARANCE = 0.3  # m, see ExpertConfig.obstacle_penalty


class Critic(nn.Module):
    """The value (N,) of normalised features (N, f): discounted rewards times (1 - discount) / reward_unit, so
    of order 1."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.body = perceptron(inputs, hidden)
        self.outlet = nn.Linear(hidden, 1)

    def forward(self, features: Tensor) -> Tensor:
        """V (N,)."""
        return self.outlet(self.body(features.to(self.outlet.weight)))[:, 0]


class Flight(NamedTuple):
    """H steps of N environments, without gradients but for `objective` (): normalised and raw features
    (H, N, f), rewards and the successors' values (H, N), ended (H, N)."""

    objective: Tensor
    features: Tensor
    raw: Tensor
    rewards: Tensor
    nexts: Tensor
    ended: Tensor


def fly(
    actor: Actor, target: Critic, environments: Environments, config: ExpertConfig, noise: Tensor
) -> Flight:
    """Fly on for H steps under the actor's draws, noise (H, N, m); the objective is the mean over N of the
    discounted rewards and the target critic's value at the end."""
    environments.cut()
    total = torch.zeros(len(environments.x))
    factor = torch.ones_like(total)
    record: list[tuple[Tensor, ...]] = []
    for t, draw in enumerate(noise):
        x, spheres = environments.x, environments.spheres
        step = environments.step(actor(x, spheres, draw))
        seen = environments.spheres
        reward = step.reward - config.rate_penalty * step.after[:, actor.task.q :].square().sum(1)
        reward = _scaled(reward - _nearness(environments, step.after, seen, config), config)
        value = torch.where(step.failed, 0.0, target(actor.features(step.after, seen)))
        total = total + factor * reward
        last = step.ended | torch.tensor(t == len(noise) - 1)
        total = total + torch.where(last, factor * config.discount * value, 0.0)
        factor = torch.where(step.ended, 1.0, factor * config.discount)
        with torch.no_grad():
            raw = actor.features.raw(x, spheres)
            record.append((actor.features(x, spheres), raw, reward.detach(), value.detach(), step.ended))
        environments.renew(step.ended)
    return Flight(total.mean() / len(noise), *(torch.stack(v) for v in zip(*record, strict=True)))


def td_targets(rewards: Tensor, nexts: Tensor, ended: Tensor, discount: float, trace: float) -> Tensor:
    """TD(lambda) targets (H, N): G_t = r_t + gamma ((1 - lambda) V(x_t+1) + lambda G_t+1); at an end, and at
    the last step, G_t = r_t + gamma V(x_t+1)."""
    following, targets = nexts[-1], []
    for reward, value, end in zip(reversed(rewards), reversed(nexts), reversed(ended), strict=True):
        blend = torch.where(end, value, (1.0 - trace) * value + trace * following)
        following = reward + discount * blend
        targets.append(following)
    return torch.stack(targets[::-1])


def fit_critic(
    critic: Critic, optimizer: torch.optim.Optimizer, flight: Flight, config: ExpertConfig,
    generator: torch.Generator,
) -> float:  # fmt: skip
    """Regress the critic on the flight's targets in shuffled parts; mean squared error of the last pass."""
    targets = td_targets(flight.rewards, flight.nexts, flight.ended, config.discount, config.trace).flatten()
    features, errors = flight.features.flatten(0, 1), []
    for _ in range(config.critic_epochs):
        order = torch.randperm(len(targets), generator=generator)
        errors = [
            descend(optimizer, (critic(features[part]) - targets[part]).square().mean(), critic, config.clip)
            for part in order.chunk(config.critic_batches)
        ]
    return sum(errors) / len(errors)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, module: nn.Module, clip: float) -> float:
    """One step with the gradient's norm clipped; none where it is not finite. The loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(module.parameters(), clip)
    if bool(torch.isfinite(norm)):
        optimizer.step()
    return float(loss.detach())


def follow(target: Critic, critic: Critic, share: float) -> None:
    """target += share (critic - target)."""
    with torch.no_grad():
        for slow, fast in zip(target.parameters(), critic.parameters(), strict=True):
            slow.lerp_(fast, share)


def _scaled(reward: Tensor, config: ExpertConfig) -> Tensor:
    return (reward * ((1.0 - config.discount) / config.reward_unit)).to(torch.float32)


def _nearness(
    environments: Environments, x: Tensor, seen: Spheres | None, config: ExpertConfig
) -> Tensor | float:
    """Reward lost for being near a sphere."""
    task, spheres = environments.task, seen or environments.task.spheres
    if spheres is None or task.system.position is None:
        return 0.0
    gap = nearest(x[:, task.system.position : task.system.position + 3], spheres)[:, 3]
    return config.obstacle_penalty * (_CLEARANCE - gap).clamp_min(0.0).square()
