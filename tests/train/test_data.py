"""Data sets by flying: same bytes for the same seed, resumable, failures counted, bad input refused."""

import json
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deqmpc_core import load_policy
from deqmpc_core.errors import ConfigError, DataError
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation
from deqmpc_sim.envs import episode_starts, roll_out
from deqmpc_train.data import DataConfig, generate, load_episodes, parts, read_info, read_stats
from deqmpc_train.data.fly import Flights
from deqmpc_train.verbs import data as verb

SMALL = DataConfig(episodes=3, steps=6, spread_episodes=5, spread_steps=4, seed=5, policy="goal-mpc")
FILES = ("episodes.parquet", "info.json", "stats.json")


class Here:
    """Worker processes replaced by calls in this one."""

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Any, *arguments: Any) -> Future[None]:
        future: Future[None] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_: object) -> None: ...


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deqmpc_train.data.generation._pool", lambda jobs: Here())


def test_same_seed_same_bytes_also_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 3)
    told: list[tuple[int, int]] = []
    undisturbed = generate(SMALL, tmp_path / "a", 2, lambda *done: told.append(done))
    assert told[0] == (0, 8) and told[-1] == (8, 8)
    with pytest.raises(KeyboardInterrupt):
        generate(SMALL, tmp_path / "b", 1, _stop_after(2))
    (tmp_path / "b.parts" / "00002.tmp").write_bytes(b"half a part")
    assert not (tmp_path / "b").exists()
    resumed = generate(SMALL, tmp_path / "b")
    for name in FILES:
        assert (undisturbed / name).read_bytes() == (resumed / name).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def _stop_after(parts_done: int) -> Any:
    calls = 0

    def progress(done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls > parts_done:
            raise KeyboardInterrupt

    return progress


def test_rows_are_flights_of_the_model_from_the_seeds_starts(tmp_path: Path) -> None:
    out = generate(SMALL, tmp_path / "d")
    task, info = load_task("crazyflie"), read_info(out)
    episodes = load_episodes(out, task)
    assert sorted(episodes.steps) == [4] * 5 + [6] * 3 and episodes.actions is not None
    inner = ~episodes.last
    after = task.step(torch.from_numpy(episodes.states[inner]), torch.from_numpy(episodes.actions[inner]))
    following = np.flatnonzero(inner) + 1
    assert np.abs(after.numpy() - episodes.states[following]).max() < 1e-12
    for number, source in enumerate(info["sources"]):
        if source < 3:
            start = task.start(info["start_seed"], source)
            np.testing.assert_array_equal(episodes.states[episodes.bounds[number]], start)
    assert {4, 6} <= set(episodes.steps[:4].tolist())  # both kinds from the beginning on
    assert info["start_seed"] == 1_000_005 and info["versions"]["deqmpc"]


def test_failed_episodes_are_dropped_and_counted(tmp_path: Path) -> None:
    """Behind a sphere a straight line fails; each episode flown alone says the same."""
    config = DataConfig(episodes=6, steps=40, spread_episodes=0, policy="straight-line")
    info = read_info(generate(config, tmp_path / "d"))
    task = load_task("crazyflie")
    pilot = load_policy("straight-line", task)
    alone = [roll_out(task, pilot, episode_starts(task, 1_000_000, [e])[0], 40).failures[0] for e in range(6)]
    assert "sphere entered" in alone
    assert info["sources"] == [e for e, why in enumerate(alone) if why is None]
    assert info["dropped"] == {why: alone.count(why) for why in set(alone) - {None}}


def test_a_data_set_of_failures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "fly", lambda *_: Flights([], {"sphere entered": 3}))
    with pytest.raises(DataError, match="none of 3 episodes was kept: 3 sphere entered"):
        generate(DataConfig(episodes=3, spread_episodes=0), tmp_path / "none")
    assert not (tmp_path / "none").exists()


class Law:
    """A pilot without a solver: u = -K x."""

    config = SimpleNamespace(horizon=5)

    def __init__(self, gain: list[list[float]]) -> None:
        self.gain = torch.tensor(gain, dtype=torch.float64)

    def initial_state(self, batch: int) -> None: ...

    def __call__(self, observation: Observation, state: None, iterations: int) -> tuple[Any, None]:
        return SimpleNamespace(u=-(observation.x @ self.gain.T)[:, None]), None


def _fly_by_law(monkeypatch: pytest.MonkeyPatch, gain: list[list[float]]) -> None:
    for module in ("generation", "parts"):
        monkeypatch.setattr(f"deqmpc_train.data.{module}.load_policy", lambda *_: Law(gain))


def test_an_episode_ends_at_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fly_by_law(monkeypatch, [[40.0, 10.0]])
    out = generate(DataConfig(task="pendulum", episodes=6, option=("u_max=100",)), tmp_path / "p")
    task = load_task("pendulum")
    episodes = load_episodes(out, task)
    assert (episodes.steps < task.episode_steps).all() and read_stats(out)["successes"] == 6
    for a, b in zip(episodes.bounds[:-1], episodes.bounds[1:], strict=True):
        states = torch.from_numpy(episodes.states[a:b])[None]
        assert task.success(states)[0] and not task.success(states[:, :-1])[0]


def test_moving_spheres_are_kept_with_their_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fly_by_law(monkeypatch, [[0.0] * 14] * 4)
    monkeypatch.setattr(parts, "PART", 2)
    config = DataConfig(task="qpole_dyn_obs", episodes=3, steps=3, option=("obstacle_radius=0.2",))
    out = generate(config, tmp_path / "d")
    task, info = load_task("qpole_dyn_obs"), read_info(out)
    episodes = load_episodes(out, task)
    assert episodes.centers is not None and info["spheres"] == 40
    for centers, source in zip(episodes.centers, info["sources"], strict=True):
        np.testing.assert_array_equal(centers, task.obstacles(info["start_seed"], source))


def test_paper_sizes_are_the_defaults() -> None:
    def sizes(name: str) -> tuple[int, int, int]:
        recipe = DataConfig(task=name).complete(load_task(name))
        return recipe.episodes, recipe.steps, recipe.spread_episodes

    assert sizes("pendulum") == (300, 200, 0) and sizes("cartpole") == (300, 200, 3000)
    assert sizes("quadrotor") == (2000, 100, 0) and sizes("qpole") == (2000, 200, 8000)
    assert sizes("crazyflie") == (1000, 60, 4000)
    with pytest.raises(ConfigError, match="steps: expected at least 1, got 0"):
        DataConfig(steps=0).complete(load_task("crazyflie"))


def test_parts_of_another_command_are_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "f.parts").mkdir()
    (tmp_path / "f.parts" / "config.json").write_text("{}")
    with pytest.raises(DataError, match="another configuration"):
        generate(SMALL, tmp_path / "f")


def test_the_verbs_make_show_and_draw_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fly_by_law(monkeypatch, [[40.0, 10.0]])
    out, report, picture = tmp_path / "set", tmp_path / "info.json", tmp_path / "set.png"
    words = ["--task", "pendulum", "--episodes", "2", "--spread-episodes", "1", "--spread-steps", "3"]
    pilot = ["--expert", "goal-mpc", "--option", "u_max=100", "integrator=semi_implicit"]
    assert verb.main(["generate", *words, *pilot, "--out", str(out)]) == 0
    assert verb.main(["info", str(out), "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert told["info"]["task_options"] == {"u_max": 100, "integrator": "semi_implicit"}
    assert told["info"]["expert"] == "goal-mpc" and told["stats"] == read_stats(out)
    assert verb.main(["plot", str(out), "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG") and "3 episodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--task", "qpol"], "unknown task 'qpol'; did you mean 'qpole'?"),
        (["--task", "qpole", "--option", "u_maxx=3"], "'u_maxx'; did you mean 'u_max'?"),
        (["--option", "u_max"], "expected NAME=VALUE"),
        (["--policy", "no-such"], "no policy 'no-such'"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.main(["generate", *words, "--out", str(tmp_path / "x")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert sentence in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
