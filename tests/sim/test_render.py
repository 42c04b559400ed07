"""Pictures and films show every task, move, and are written whole or not at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.tasks import Task, load_task, task_names
from deqmpc_sim.envs import Rollout, episode_starts, make_env
from deqmpc_sim.render import film, picture, planar, render


def _coasting(task: Task, steps: int) -> Rollout:
    """Two episodes without a pilot."""
    x, centers = episode_starts(task, 0, [0, 1])
    u = 0.9 * task.control_reference.expand(2, -1)
    states, amid = [x], [centers]
    for _ in range(steps):
        centers = None if centers is None else task.moved(centers, x)
        x = task.step(x, u)
        states.append(x)
        amid.append(centers)
    path = None if centers is None else torch.stack([c for c in amid if c is not None], 1)
    return Rollout(torch.stack(states, 1), u[:, None].expand(-1, steps, -1), torch.zeros(2), [None] * 2, path)


@pytest.mark.parametrize("name", task_names())
def test_every_task_can_be_seen_and_filmed(name: str, tmp_path: Path) -> None:
    task = load_task(name)
    flight = _coasting(task, 12)
    centers = None if flight.centers is None else flight.centers[1, 0]
    seen = picture(task, flight.states[1, 0], centers)
    assert seen.shape == (360, 480, 3) and seen.dtype == np.uint8
    assert 0.01 < (seen < 250).any(-1).mean() < 0.9
    assert (seen != picture(task, flight.states[1, 12], centers)).any()
    with Image.open(
        render(task, flight, tmp_path / "flight.gif", sample=1, frames=2, width=240, height=180)
    ) as gif:
        assert gif.n_frames == 2 and gif.size == (240, 180)  # type: ignore[attr-defined]
        assert gif.info["duration"] == pytest.approx(1000 * 12 * task.dt, abs=10)
    assert [p.name for p in tmp_path.iterdir()] == ["flight.gif"]


def test_the_pole_is_drawn_where_it_is() -> None:
    """theta is counter-clockwise: at a quarter turn the rod lies to the left of its pivot."""
    task = load_task("pendulum")
    rod = (picture(task, torch.tensor([np.pi / 2, 0.0]))[..., :3] == [213, 94, 0]).all(-1)
    rows, columns = rod.nonzero()
    assert np.ptp(columns) > 5 * np.ptp(rows)
    assert columns.mean() < 240


def test_a_film_ends_with_its_episode(tmp_path: Path) -> None:
    task = load_task("pendulum")
    flight = _coasting(task, 12)._replace(lengths=torch.tensor([4, 12]))
    with Image.open(render(task, flight, tmp_path / "short.gif")) as gif:
        assert gif.n_frames == 5  # type: ignore[attr-defined]


def test_what_cannot_be_drawn_is_refused_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load_task("pendulum")
    flight = _coasting(task, 3)
    with pytest.raises(ConfigError, match="ending in .gif or .mp4, got 'a.png'"):
        render(task, flight, tmp_path / "a.png")
    monkeypatch.setattr(film.FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(ConfigError, match="needs ffmpeg"):
        render(task, flight, tmp_path / "a.mp4")
    with pytest.raises(ShapeError, match=r"expected shape \(2,\), got \(1, 2\)"):
        picture(task, flight.states[:1, 0])
    with monkeypatch.context() as patch:
        patch.setattr(planar.PendulumScene, "show", lambda scene, knot: 1 / (1 - knot))
        with pytest.raises(ZeroDivisionError):
            render(task, flight, tmp_path / "a.gif")
    seesaw = replace(task, system=replace(task.system, name="seesaw"))
    with pytest.raises(ConfigError, match="nobody has drawn a 'seesaw'"):
        picture(seesaw, flight.states[0, 0])
    assert list(tmp_path.iterdir()) == []


def test_environments_render_a_picture_each() -> None:
    env = make_env("cartpole", num_envs=2, render_mode="rgb_array")
    env.reset(seed=0)
    pictures = env.render()
    assert pictures is not None and len(pictures) == 2 and (pictures[0] != pictures[1]).any()
    assert make_env("cartpole").render() is None
