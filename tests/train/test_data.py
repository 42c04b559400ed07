"""Data sets by flying: same bytes for the same seed, resumable, failures counted, bad input refused."""

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deqmpc_core.errors import ConfigError, DataError
from deqmpc_core.tasks import load_task
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
    monkeypatch.setattr("deqmpc_train.data.generate._pool", lambda jobs: Here())


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
    """Of starts behind a sphere a straight line enters it."""
    config = DataConfig(episodes=8, steps=40, spread_episodes=0, policy="straight-line")
    out = generate(config, tmp_path / "d")
    info = read_info(out)
    dropped = info["dropped"]["sphere entered"]
    assert dropped >= 4 and info["episodes"] == 8 - sum(info["dropped"].values())
    assert all(source % 2 == 0 for source in info["sources"])


def test_a_data_set_of_failures_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "fly", lambda *_: Flights([], {"sphere entered": 3}))
    with pytest.raises(DataError, match="none of 3 episodes was kept: 3 sphere entered"):
        generate(DataConfig(episodes=3, spread_episodes=0), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_episode_ends_at_success(tmp_path: Path) -> None:
    """Balanced at the start, a pendulum stays so: its episode has the ten steps that make it a success."""
    out = generate(
        DataConfig(task="pendulum", episodes=4, policy="goal-mpc", option=("u_max=40",)), tmp_path / "p"
    )
    task = load_task("pendulum")
    episodes = load_episodes(out, task)
    short = episodes.steps < task.episode_steps
    assert short.any()
    for a, b, early in zip(episodes.bounds[:-1], episodes.bounds[1:], short, strict=True):
        states = torch.from_numpy(episodes.states[a:b])[None]
        assert bool(task.success(states)[0]) or not early
        assert not task.success(states[:, :-1])[0]


def test_moving_spheres_are_kept_with_their_episodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 2)
    config = DataConfig(
        task="qpole_dyn_obs", episodes=3, steps=3, policy="goal-mpc", option=("obstacle_radius=0.2",)
    )
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

    assert sizes("pendulum") == sizes("cartpole") == (300, 200, 0)
    assert sizes("quadrotor") == (2000, 100, 0) and sizes("qpole") == (2000, 200, 0)
    assert sizes("crazyflie") == (1000, 60, 4000)
    with pytest.raises(ConfigError, match="steps: expected at least 1, got 0"):
        DataConfig(steps=0).complete(load_task("crazyflie"))


def test_parts_of_another_command_are_not_mixed_in(tmp_path: Path) -> None:
    (tmp_path / "f.parts").mkdir()
    (tmp_path / "f.parts" / "config.json").write_text("{}")
    with pytest.raises(DataError, match="another configuration"):
        generate(SMALL, tmp_path / "f")


def test_the_verbs_make_show_and_draw_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, report, picture = tmp_path / "set", tmp_path / "info.json", tmp_path / "set.png"
    sizes = ["--episodes", "2", "--steps", "5", "--spread-episodes", "1", "--spread-steps", "3"]
    pilot = ["--expert", "goal-mpc", "--option", "obstacle_radius=0.09"]
    assert verb.main(["generate", "--task", "crazyflie", *sizes, *pilot, "--out", str(out)]) == 0
    assert verb.main(["info", str(out), "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert told["info"]["task_options"] == {"obstacle_radius": 0.09} and told["stats"] == read_stats(out)
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
    assert verb.main(["generate", *words, "--out", str(tmp_path / "x")]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert sentence in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
