"""Evaluation: figures, intervals and residuals against what can be known by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deqmpc_core.bundle import load_policy, save_bundle
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation
from deqmpc_train.eval import expert as expert_module
from deqmpc_train.eval.evaluate import Plan, evaluate, held_out_windows, training_config
from deqmpc_train.eval.expert import expert_returns
from deqmpc_train.eval.flights import fly, seeded_starts
from deqmpc_train.eval.intervals import mean_interval, normalised, normalised_interval, resampled_means
from deqmpc_train.eval.iterations import window_errors
from deqmpc_train.eval.residuals import residuals
from deqmpc_train.eval.results import difference
from deqmpc_train.eval.schedules import WINDOWS
from deqmpc_train.verbs import eval as eval_verb


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    policy = make_policy(PolicyConfig("crazyflie", "deqmpc-deq", hidden=8, rounds=2, evaluations=3))
    assert policy.network is not None
    torch.nn.init.normal_(policy.network.outlet.weight, std=0.02)
    save_bundle(policy, tmp_path / "crazyflie-deqmpc-deq", "card", {"training": {"kept": 1}})
    return tmp_path / "crazyflie-deqmpc-deq"


def test_intervals_of_known_spread_cover_and_pairs_cancel() -> None:
    rng = np.random.default_rng(1)
    covered = sum(
        low <= 2.0 <= high for low, high in (mean_interval(rng.normal(2.0, 1.0, 60)) for _ in range(40))
    )
    assert 33 <= covered <= 40
    values = rng.normal(0.0, 5.0, 200)
    low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * 5.0 / 200**0.5, rel=0.2)
    a, b = resampled_means(values, values + 1.0)
    np.testing.assert_allclose(b - a, 1.0)
    assert mean_interval(values) == (low, high)


def test_normalised_returns_have_the_sense_of_higher_is_better() -> None:
    assert normalised(50.0, 100.0) == 0.5 and normalised(-200.0, -100.0) == 0.5
    assert normalised(-1.0, 100.0) is None
    costs = -np.array([100.0, 120.0, 90.0, 110.0])
    span = normalised_interval(2.0 * costs, costs)
    assert span == pytest.approx((0.5, 0.5))
    assert normalised_interval(costs, -costs) is None


def test_policies_meet_the_same_starts_and_differ_by_pairs(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEQMPC_MODELS", str(bundle.parent))
    task = replace(load_task("crazyflie"), episode_steps=4)
    plan = Plan(episodes=6, iterations=(1, 2), cold=True)
    found = evaluate([str(bundle), "hover"], task, plan)
    rows = {r.name: r for r in found.results}
    assert list(rows) == [bundle.name, f"{bundle.name} (2 a tick)", f"{bundle.name} (cold)", "hover"]
    hover = rows["hover"]
    assert hover.flight.return_interval[0] <= hover.flight.return_mean <= hover.flight.return_interval[1]
    assert hover.flight.normalised_return == pytest.approx(hover.returns.mean() / found.expert.mean())
    gap = difference(hover, hover, found.expert)
    assert gap.returns == 0.0 and gap.return_interval == (0.0, 0.0)
    assert len(found.differences) == 6 and len(rows[bundle.name].flight.residual_by_round) == 2
    warm = fly(make_policy(PolicyConfig("crazyflie", "hover"), task), seeded_starts(task, 0, 6))
    np.testing.assert_array_equal(warm.returns, hover.returns)
    text = json.loads(json.dumps(found.to_json()))
    assert {"return_mean", "normalised_return", "failure_rate", "ms_network"} <= text["policies"][0].keys()


def test_the_experts_returns_are_flown_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(expert_module, "cache_directory", lambda: tmp_path / "kernels")
    task = replace(load_task("crazyflie"), episode_steps=2)
    starts = seeded_starts(task, 0, 2)
    first = expert_returns(task, starts)
    (kept,) = (tmp_path / "expert-returns").iterdir()
    np.save(kept, first + 1.0)
    np.testing.assert_array_equal(expert_returns(task, starts), first + 1.0)
    kept.write_bytes(b"x")
    np.testing.assert_array_equal(expert_returns(task, starts), first)
    expert_returns(replace(load_task("crazyflie", obstacle_radius=0.05), episode_steps=2), starts)
    assert len(list((tmp_path / "expert-returns").iterdir())) == 2


def test_residuals_by_round_are_those_of_the_plans(bundle: Path) -> None:
    task = load_task("crazyflie")
    policy = make_policy(PolicyConfig("crazyflie", "deqmpc-deq", hidden=8, rounds=4, evaluations=4), task)
    seen = Observation(seeded_starts(task, 0, 5).x)
    found = residuals(policy, seen)
    assert all(v.shape == (4, 5) for v in found)
    plan, _ = policy(seen, policy.initial_state(5))
    solver_says = plan.info.violation
    ours = torch.maximum(found.dynamics, found.constraints)
    torch.testing.assert_close(ours, solver_says, rtol=1e-6, atol=1e-12)
    assert (found.deq > 0).all() and found.joint[-1].max() < found.joint[0].min()
    told = found.to_json()
    assert told[-1]["round"] == 4 and 0.0 <= told[-1]["all_share"] <= told[-1]["joint"]["share"] <= 1.0
    nn = make_policy(PolicyConfig("crazyflie", "deqmpc-nn", hidden=8, rounds=2), task)
    assert (residuals(nn, seen).deq == 0).all()


def test_the_policys_own_penalty_schedule_gives_its_held_out_errors(
    bundle: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = load_policy(str(bundle), load_task("crazyflie"))
    own, config = policy.config.mu_max, training_config(str(bundle), policy)
    assert config is not None
    words = ["--mu-max", str(own), "10", "--data", str(data), "--json", str(tmp_path / "s.json")]
    assert eval_verb.main([str(bundle), *words]) == 0
    mine, weak = (row["errors"] for row in json.loads((tmp_path / "s.json").read_text())["schedules"])
    windows = held_out_windows(policy, data, config)
    found = window_errors(policy, windows.take(np.array(windows.spread(WINDOWS))), config)
    np.testing.assert_allclose(mine, found.iterations.mean(1), rtol=1e-9)
    assert len(mine) == policy.config.rounds * policy.config.al_iterations and mine != weak
    assert eval_verb.main(["hover", "--mu-max", "10", "--data", str(data)]) == 2
    assert "has no network" in capsys.readouterr().err


def test_the_verb_writes_figures_pictures_and_the_bundles_evaluation(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    short = replace(load_task("crazyflie"), episode_steps=3)
    monkeypatch.setattr(eval_verb, "load_task", lambda *_: short)
    out = tmp_path / "out"
    options = ["--episodes", "2", "--data", str(data), "--keep", "--plots", str(out)]
    places = ["--json", str(out / "e.json"), "--markdown", str(out / "e.md")]
    assert eval_verb.main([str(bundle), "goal-mpc", *options[:-3], "--plots", str(out), *places]) == 0
    assert eval_verb.main([str(bundle), *options, "--residuals"]) == 0
    kept = json.loads((bundle / "eval.json").read_text())
    assert kept["training"] == {"kept": 1} and len(kept["residuals"]["rounds"]) == 2
    rows = json.loads((out / "e.json").read_text())["policies"]
    assert rows[0]["validation_error"] > 0.0 and len(rows[0]["validation_by_round"]) == 2
    assert "First minus second" in (out / "e.md").read_text()
    assert {p.name for p in out.iterdir()} >= {"returns.png", "rounds.png", f"{bundle.name}-residuals.png"}
    assert eval_verb.main(["goal-mpc", "--residuals"]) == 2
    assert "give a data set by --data" in capsys.readouterr().err
