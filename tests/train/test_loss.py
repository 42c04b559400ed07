"""The loss sees what a flight sees: branches, moving spheres, statuses; its gradient is the derivative."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.tasks import Task, load_task
from deqmpc_core.types import Status
from deqmpc_sim.envs import episode_starts
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Episode, Episodes, Window, Windows
from deqmpc_train.held_out import held_out_errors
from deqmpc_train.loss import view, window_loss
from deqmpc_train.parallel import Group


def small(task: str, variant: str = "deqmpc-deq", **changes: Any) -> TrainConfig:
    sizes: dict[str, Any] = {"hidden": 8, "rounds": 2, "evaluations": 3, "phantom_steps": 1} | changes
    return TrainConfig(PolicyConfig(task, variant, **sizes), batch=4, stream_steps=2)


def flown(task: Task, steps: int = 10) -> Episodes:
    """Two episodes under constant control from the task's own starts."""
    x, centers = episode_starts(task, 3, range(2))
    u = task.control_reference.expand(2, -1)
    states = [x]
    for _ in range(steps):
        states.append(task.step(states[-1], u))
    path, actions = torch.stack(states, 1).numpy(), u[:, None].expand(-1, steps, -1).numpy()
    amid = [None, None] if centers is None else list(centers.numpy())
    return Episodes.of([Episode(*parts) for parts in zip(path, actions, amid, strict=True)])


def test_a_tick_sees_wrapped_angles_and_targets_on_their_branch() -> None:
    """The window turns over the top; its second tick sees the angle that the environment gives."""
    task = load_task("pendulum")
    angles = torch.arange(8, dtype=torch.float64) * 0.1 + math.pi - 0.05
    x = torch.stack((angles, torch.ones_like(angles)), -1)[None]
    window = Window(x, torch.ones(1, 8, dtype=torch.bool))
    for tick in range(3):
        seen = view(task, window, tick, 5)
        assert -math.pi <= float(seen.seen.x[0, 0]) < math.pi or tick == 0
        steps = torch.cat((seen.seen.x[:, None], seen.target), 1).diff(dim=1)[..., 0]
        assert torch.allclose(steps, torch.full_like(steps, 0.1))


def test_moving_spheres_reach_the_policy_and_the_targets() -> None:
    task = load_task("qpole_dyn_obs", obstacle_speed=0.5)
    windows = Windows(flown(task), 8, task.system, task=task)
    window = windows.take(np.array([0, 12]))
    assert window.centers is not None
    for tick in range(3):
        seen = view(task, window, tick, 5)
        assert seen.seen.spheres is not None and seen.centers is not None
        told = task.observe(window.x[:, tick], window.centers[:, tick], 5).spheres
        assert told is not None and torch.allclose(seen.seen.spheres.center, told.center)
        assert torch.equal(seen.centers, window.centers[:, tick + 1 : tick + 6])
        assert (seen.centers[:, 1:] - seen.centers[:, :-1]).norm(dim=-1).max() > 0.02


@pytest.mark.parametrize("variant", ["deqmpc-deq", "diffmpc-nn"])
def test_terms_by_round_and_tick(variant: str) -> None:
    """DEQ-MPC is supervised at every round, Diff-MPC at its last iterate; masked knots do not count."""
    task, config = load_task("crazyflie"), small("crazyflie", variant)
    windows = Windows(flown(task), config.window, task.system)
    policy = make_policy(config.policy, task)
    with torch.no_grad():
        loss = window_loss(policy, windows.take(np.arange(4)), config)
    every = variant.startswith("deqmpc")
    assert loss.cold.shape == (2 if every else 1,) and loss.stream.shape == (2,)
    assert loss.eq13(5) == pytest.approx(5 * float(loss.total))
    assert loss.status.shape == (3, len(Status)) and (loss.status.sum(1) == 4).all()
    window = windows.take(np.array([0, 5, 9, 18]))
    poisoned = torch.where(window.mask[..., None], window.x, window.x + 1e3)
    with torch.no_grad():
        plain, other = (window_loss(policy, w, config) for w in (window, window._replace(x=poisoned)))
    assert not window.mask.all() and torch.allclose(plain.cold, other.cold)


def test_a_plan_that_moves_from_round_to_round_can_be_made_to_cost() -> None:
    """Two moves of four rounds' plans: the first round is not held to account. One round has none."""
    task, config = load_task("crazyflie"), small("crazyflie", rounds=4)
    window = Windows(flown(task), config.window, task.system).take(np.arange(4))
    policy = make_policy(config.policy, task)
    with torch.no_grad():
        plain = window_loss(policy, window, config)
        moved = window_loss(policy, window, replace(config, joint_weight=0.5))
    x, mask = [r.x[:, 1:] for r in plain.rounds[:4]], window.mask[:, 1:6]
    moves = sum(((x[i + 1] - x[i]).abs().sum(-1) * mask).sum() / mask.sum() for i in (1, 2))
    assert torch.equal(plain.cold, moved.cold) and torch.equal(plain.stream, moved.stream)
    assert float(moved.total - plain.total) == pytest.approx(0.5 * float(moves), rel=1e-9)


@pytest.mark.parametrize("variant", ["nn", "deq"])
def test_bare_networks_are_supervised_on_their_prediction(variant: str) -> None:
    task, config = load_task("crazyflie"), small("crazyflie", variant)
    window = Windows(flown(task), config.window, task.system).take(np.arange(4))
    policy = make_policy(config.policy, task)
    loss = window_loss(policy, window, config)
    rest = (window.x[:, :1] * torch.cat((torch.ones(6), torch.zeros(6)))).expand(-1, 5, -1)
    mask = window.mask[:, 1:6]
    expected = ((rest - window.x[:, 1:6]).abs().sum(-1) * mask).sum() / mask.sum()
    assert loss.cold.shape == (1,) and float(loss.cold) == pytest.approx(float(expected), rel=1e-6)
    loss.total.backward()
    assert policy.network is not None and policy.network.outlet.weight.grad is not None


def test_predicted_spheres_have_a_term_of_their_own() -> None:
    """Their network learns how the spheres move even where the states' loss counts nothing."""
    task = load_task("qpole_dyn_obs", obstacle_speed=0.5)
    config = replace(small("qpole_dyn_obs", "nn", obstacles="predicted"), sphere_weight=1.0)
    window = Windows(flown(task), config.window, task.system, task=task).take(np.arange(4))
    torch.manual_seed(0)
    policy = make_policy(config.policy, task)
    assert policy.network is not None and policy.network.obstacles is not None
    assert window.centers is not None
    before = window_loss(policy, window, config)
    still = (window.centers[:, 2:6] - window.centers[:, 1:2]).abs().sum(-1).mean() * 4 / 5
    assert float(before.spheres) == pytest.approx(float(still), rel=1e-6)
    optimizer = torch.optim.Adam(policy.network.obstacles.parameters(), 3e-2)  # type: ignore[union-attr]
    for _ in range(8):
        optimizer.zero_grad()
        window_loss(policy, window, config).total.backward()
        optimizer.step()
    assert float(window_loss(policy, window, config).spheres) < 0.9 * float(before.spheres)


def test_validation_weighs_every_knot_alike_whatever_the_batches() -> None:
    task, config = load_task("crazyflie"), small("crazyflie")
    policy = make_policy(config.policy, task)
    windows = Windows(flown(task), config.window, task.system)
    whole = held_out_errors(policy, windows, 100, config)
    halves = [Windows(flown(task), config.window, task.system) for _ in range(2)]
    parts = []
    for rank, half in enumerate(halves):
        half.starts, half.ends = (v[Group(rank, 2).share(20)] for v in (half.starts, half.ends))
        loss = window_loss(policy, half.take(np.arange(len(half))), config)
        count = half.take(np.arange(len(half))).mask[:, 1:6].sum()
        parts.append((loss.cold.detach() * count, count))
    mean = torch.stack([p[0] for p in parts]).sum(0) / torch.stack([p[1] for p in parts]).sum()
    assert torch.allclose(whole.rounds, mean) and whole.ticks.shape == (2,)


def test_bfloat16_changes_the_network_alone() -> None:
    task, config = load_task("crazyflie"), small("crazyflie", hidden=16)
    policy = make_policy(config.policy, task)
    assert policy.network is not None
    torch.nn.init.normal_(policy.network.outlet.weight, std=0.1)
    window = Windows(flown(task), config.window, task.system).take(np.arange(4))
    exact = window_loss(policy, window, config)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = window_loss(policy, window, replace(config, bf16=True))
    assert coarse.rounds[-1].x.dtype == torch.float64 and coarse.total.dtype == torch.float64
    assert 0.0 < abs(float((exact.total - coarse.total).detach())) < 0.1 * float(exact.total.detach())
    coarse.total.backward()
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in policy.network.parameters())
