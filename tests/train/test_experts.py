"""Experts: the touching quadratic, plans that go round, the actor-critic update, exact resume, bundles."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deqmpc_core import load_policy
from deqmpc_core.bundle import save_bundle, verify_bundle
from deqmpc_core.errors import BundleError, ConfigError, DataError
from deqmpc_core.policies import ActorPolicy, ExpertPolicy, Policy, PolicyConfig, RewardMpcPolicy, make_policy
from deqmpc_core.policies.features import Features, rotation
from deqmpc_core.policies.reward_mpc import Candidate, goal_near, moved, touching_weight
from deqmpc_core.tasks import Task, load_task
from deqmpc_core.types import Observation, Status
from deqmpc_sim.envs import roll_out
from deqmpc_train.eval import normalised
from deqmpc_train.experts.actor_critic import fly, td_targets
from deqmpc_train.experts.config import ExpertConfig
from deqmpc_train.experts.environments import Environments
from deqmpc_train.experts.evaluate import published_starts
from deqmpc_train.experts.train import ExpertTrainer, run

TINY = ExpertConfig("pendulum", updates=4, environments=8, horizon=6, hidden=8, validate_every=2,
                    validation_flights=2, checkpoint_every=2)  # fmt: skip


def quick_pendulum() -> Task:
    """The pendulum with a short expert, whose kernels other tests need too, and torque enough to lift it."""
    task = load_task("pendulum", u_max=15.0)
    return replace(task, expert_numbers=task.expert._replace(horizon=5, searches=2, rounds=3))


def quick_expert() -> Policy:
    return make_policy(PolicyConfig("pendulum", "expert-mpc"), quick_pendulum())


def starts(task: Task, count: int) -> Tensor:
    return torch.stack([torch.from_numpy(task.start(3, i)) for i in range(count)])


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(("pendulum", "cartpole", "quadrotor", "qpole", "crazyflie")), st.integers(0, 10**6))
def test_the_quadratic_touches_the_reward_from_below(name: str, seed: int) -> None:
    task, rng = load_task(name), np.random.default_rng(seed)
    x, y = (torch.from_numpy(np.stack([task.spread_start(rng) for _ in range(4)])) for _ in range(2))
    y = torch.lerp(x, y, 10.0 ** torch.linspace(-3.0, 0.0, 4, dtype=torch.float64)[:, None])
    weight, goal = touching_weight(task, x), goal_near(task, x)
    gain = -0.5 * (weight * ((y - goal).square() - (x - goal).square())).sum(-1)
    assert (weight >= 0.0).all()
    assert (task.reward(y) - task.reward(x) >= gain - 0.02 - 1e-9 * gain.abs()).all()


def test_a_plan_that_goes_round_is_turned_as_a_whole() -> None:
    task = load_task("pendulum")
    state = quick_expert().initial_state(1).solver
    theta = torch.tensor([3.0, 3.2, 4.0, 5.0, 6.0, 6.6], dtype=torch.float64)
    x = torch.stack([theta, torch.zeros(6, dtype=torch.float64)], -1)[None]
    x0 = torch.tensor([[3.2 - 2.0 * math.pi, 0.0]], dtype=torch.float64)
    after, _ = moved(task, state._replace(x=x), x0, 1.0)
    torch.testing.assert_close(after[0, :5, 0], theta[1:] - 2.0 * math.pi)
    torch.testing.assert_close(after[0, 5], task.system.rk4(after[0, 4], state.u[0, -1], task.dt))


def test_an_mpc_experts_flight_does_not_depend_on_its_batch() -> None:
    task, expert = quick_pendulum(), quick_expert()
    begin = starts(task, 5)
    together = roll_out(task, expert, begin, 40)
    alone = roll_out(task, expert, begin[3:4], 40)
    torch.testing.assert_close(alone.states[0], together.states[3], rtol=0.0, atol=1e-8)
    assert (task.error(together.states[:, -1])[:, 0].abs() < 0.2).all()


def test_a_failed_solve_keeps_the_plan_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    expert, x = quick_expert(), starts(quick_pendulum(), 2)
    assert isinstance(expert, RewardMpcPolicy)
    plan, state = expert(Observation(x), expert.initial_state(2))
    solved = expert._solved

    def failing(*arguments: Any, **options: Any) -> Candidate:
        found = solved(*arguments, **options)
        failed = torch.full_like(found.status, Status.MAX_ITERATIONS.code)
        return found._replace(status=failed, violation=torch.ones_like(found.value))

    monkeypatch.setattr(expert, "_solved", failing)
    kept, _ = expert(Observation(plan.x[:, 1].clone()), state)
    torch.testing.assert_close(kept.x[:, :-1], plan.x[:, 1:])
    assert (kept.status == Status.MAX_ITERATIONS.code).all()


def test_a_sound_plan_is_flown_where_the_solve_did_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    expert, x = quick_expert(), starts(quick_pendulum(), 2)
    assert isinstance(expert, RewardMpcPolicy)
    plan, state = expert(Observation(x), expert.initial_state(2))
    now, solved, answers = plan.x[:, 1].clone(), expert._solved, []

    def unended(*arguments: Any, **options: Any) -> Candidate:
        found = solved(*arguments, **options)
        answers.append(found._replace(status=torch.full_like(found.status, Status.MAX_ITERATIONS.code)))
        return answers[-1]

    monkeypatch.setattr(expert, "_solved", unended)
    flown, _ = expert(Observation(now), state)
    assert len(answers) == 1 and torch.equal(flown.x, answers[0].x)


def test_a_flight_that_runs_away_ends_where_rewards_are_positive() -> None:
    for name, ends in (("quadrotor", True), ("pendulum", False)):
        task = load_task(name)
        environments = Environments(task, 2, seed=0)
        environments.x[1, -1] = 60.0
        step = environments.step(task.control_reference.expand(2, -1))
        assert step.failed.tolist() == [False, ends] == step.ended.tolist()
        assert bool(step.reward[1] == 0.0) is ends


def test_td_targets_are_the_weighted_sum_of_n_step_returns() -> None:
    generator = torch.Generator().manual_seed(0)
    r, v = torch.rand(2, 5, 1, generator=generator, dtype=torch.float64).unbind(0)
    ended = torch.tensor([False, False, True, False, False])[:, None]
    gamma, trace = 0.9, 0.7

    def by_hand(t: int) -> float:
        last = 2 if t <= 2 else 4
        total, steps = 0.0, last - t + 1
        for n in range(1, steps + 1):
            n_step = sum(gamma**i * float(r[t + i]) for i in range(n)) + gamma**n * float(v[t + n - 1])
            total += n_step * (trace ** (n - 1) * (1.0 - trace) if n < steps else trace ** (n - 1))
        return total

    targets = td_targets(r, v, ended, gamma, trace)[:, 0]
    assert targets.tolist() == pytest.approx([by_hand(t) for t in range(5)])


def test_the_policy_gradient_equals_a_finite_difference(tmp_path: Path) -> None:
    trainer = ExpertTrainer(TINY, tmp_path)
    trainer.actor.double()
    trainer.target.double()
    noise = torch.randn(6, 8, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    first = trainer.environments.x

    def objective() -> Tensor:
        trainer.environments.x, trainer.environments.age = first, torch.zeros(8, dtype=torch.int64)
        return fly(trainer.actor, trainer.target, trainer.environments, TINY, noise).objective

    weight = trainer.actor.outlet.weight
    (gradient,) = torch.autograd.grad(objective(), weight)
    step = 1e-2 * gradient / gradient.norm()
    with torch.no_grad():
        weight += step
        above = objective()
        weight -= 2.0 * step
        below = objective()
    assert float(above - below) == pytest.approx(0.02 * float(gradient.norm()), rel=2e-3)


def test_training_improves_and_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    whole = ExpertTrainer(TINY, tmp_path / "whole")
    run(whole)
    stopped = ExpertTrainer(TINY, tmp_path / "stopped")
    for _ in range(2):
        stopped.update()
    stopped.save()
    resumed = ExpertTrainer(TINY, tmp_path / "stopped")
    resumed.begin(resume=True)
    run(resumed)
    runs = (tmp_path / name / "last" / "checkpoint.safetensors" for name in ("whole", "stopped"))
    files = [file.read_bytes() for file in runs]
    assert files[0] == files[1]
    with pytest.raises(ConfigError, match="earlier run"):
        resumed.begin(resume=False)
    with pytest.raises(ConfigError, match="other options"):
        ExpertTrainer(replace(TINY, hidden=16), tmp_path / "stopped").begin(resume=True)
    with pytest.raises(BundleError, match="start again"):
        ExpertTrainer(TINY, tmp_path / "nowhere").begin(resume=True)


def test_a_short_training_learns_to_hold_a_strong_pendulum(tmp_path: Path) -> None:
    config = ExpertConfig(
        "pendulum", {"u_max": 15.0}, updates=25, environments=32, horizon=16, hidden=32, actor_rate=1e-2,
        validate_every=25, validation_flights=16, discount=0.95,
    )  # fmt: skip
    trainer = ExpertTrainer(config, tmp_path)
    before = trainer.validate()
    run(trainer)
    assert trainer.best_return > 0.75 * before and before < -100.0


def test_features_hide_branches_and_shadow_sets() -> None:
    task = load_task("qpole")
    x = starts(task, 6)
    other = x.clone()
    other[:, 3:6] = -x[:, 3:6] / x[:, 3:6].square().sum(1, keepdim=True)
    other[:, 6] += 2.0 * math.pi
    features = Features(task)
    torch.testing.assert_close(features.raw(x), features.raw(other), rtol=0.0, atol=1e-9)
    turn = rotation(x[:, 3:6]).reshape(-1, 3, 3)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).double().expand_as(turn))
    for part in features.raw(x).split([1, 3, 2]):
        features.observe(part)
    torch.testing.assert_close(features.mean, features.raw(x).mean(0))
    torch.testing.assert_close(features.std, features.raw(x).std(0, unbiased=False), rtol=0.0, atol=1e-4)


def test_the_tasks_expert_is_its_bundle_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deqmpc_core.bundle.bundle_roots", lambda: [tmp_path])
    task = load_task("pendulum")
    assert isinstance(load_policy("expert", task), RewardMpcPolicy)
    assert isinstance(load_policy("expert", "crazyflie"), ExpertPolicy)
    actor = make_policy(PolicyConfig("pendulum", "expert-rl", hidden=8), task)
    save_bundle(actor, tmp_path / "pendulum-expert")
    found = load_policy("expert", task)
    assert isinstance(found, ActorPolicy) and verify_bundle(tmp_path / "pendulum-expert") < 1e-6
    plan, _ = found(Observation(starts(task, 2)), found.initial_state(2))
    torch.testing.assert_close(plan.x[:, 2], task.system.rk4(plan.x[:, 1], plan.u[:, 1], task.dt))
    assert torch.equal(plan.theta, plan.x[:, 1:])


def test_costs_are_normalised_the_other_way_round() -> None:
    assert normalised(-200.0, -150.0) == pytest.approx(0.75)
    assert normalised(150.0, 200.0) == pytest.approx(0.75)
    assert normalised(-1.0, 2.0) is None


def test_starts_of_a_file_that_does_not_fit_are_refused(tmp_path: Path) -> None:
    task, file = load_task("pendulum"), tmp_path / "starts.npz"
    np.savez(file, state=np.ones((3, 4, 2)))
    assert published_starts(task, file, 2).shape == (2, 2)
    for array, message in (
        (np.ones((3, 4, 5)), r"expected shape \(N, L, 2\), got \(3, 4, 5\)"),
        (np.full((3, 4, 2), np.nan), "episode 0"),
    ):  # fmt: skip
        np.savez(file, state=array)
        with pytest.raises(DataError, match=message):
            published_starts(task, file, 2)
    np.savez(file, position=np.ones(3))
    with pytest.raises(DataError, match="'state'"):
        published_starts(task, file, 2)
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match="no starts in"):
        published_starts(task, file, 2)
