"""Windows: what is in them, for any lengths; no jump in them; every one as likely as another."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import load_task
from deqmpc_train.data import Episode, Episodes, Windows, continuous, load_episodes, scaling
from deqmpc_train.data.windows import sphere_paths

TASK = load_task("crazyflie")


def numbered(lengths: list[int]) -> Episodes:
    """Episodes of so many rows whose first coordinate and first action are the row number."""
    states, actions = np.zeros((sum(lengths), 12)), np.zeros((sum(lengths), 4))
    states[:, 0] = actions[:, 0] = np.arange(len(states))
    borders = np.cumsum([0, *lengths])
    parts = [(states[a:b], actions[a : b - 1]) for a, b in zip(borders[:-1], borders[1:], strict=True)]
    return Episodes.of([Episode(s, u) for s, u in parts])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=8).filter(lambda v: max(v) > 1), st.integers(2, 9))
def test_every_window_is_a_piece_of_one_episode(lengths: list[int], knots: int) -> None:
    windows = Windows(numbered(lengths), knots, TASK.system, actions=True)
    assert len(windows) == sum(n - 1 for n in lengths)
    window = windows.take(np.arange(len(windows)))
    rows, first = window.x[..., 0], window.x[:, :1, 0]
    borders = torch.tensor(np.cumsum([0, *lengths]))
    end = borders[torch.searchsorted(borders, first[:, 0].long(), right=True)][:, None] - 1
    assert torch.equal(rows, torch.minimum(first + torch.arange(knots), end.double()))
    assert torch.equal(window.mask, first + torch.arange(knots) <= end)
    assert window.mask[:, :2].all() and window.u is not None
    acted = window.mask[:, 1:]  # an action leads to a knot of the episode
    assert torch.equal(window.u[..., 0][acted], rows[:, :-1][acted]) and not window.u[~acted].any()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_batch_depends_on_seed_and_step_alone(seed: int, step: int) -> None:
    windows = Windows(numbered([30, 40]), 5, TASK.system)
    assert torch.equal(windows.draw(seed, step, 8).x, windows.draw(seed, step, 8).x)
    assert not torch.equal(windows.draw(seed, step, 8).x, windows.draw(seed, step + 1, 8).x)


def test_every_window_is_as_likely_as_another() -> None:
    windows = Windows(numbered([4, 1, 30, 8]), 5, TASK.system)
    drawn = torch.cat([windows.draw(0, step, 200).x[:, 0, 0] for step in range(200)])
    starts, counts = drawn.unique(return_counts=True)
    assert len(starts) == len(windows) == 39
    expected = len(drawn) / len(windows)
    statistic = float(((counts - expected) ** 2 / expected).sum())  # chi-square of 38 degrees of freedom
    assert statistic < 38 + 5 * (2 * 38) ** 0.5


@settings(deadline=None, max_examples=8)
@given(st.sampled_from(["qpole", "pendulum"]), st.integers(0, 2**31))
def test_no_window_jumps_farther_than_the_robot_moves(name: str, seed: int) -> None:
    """Random controls tumble the robot over every seam; a knot's distance from the one before is bounded by
    the largest rate on the way (attitude: |pdot| <= (1 + |p|^2) |omega| / 4)."""
    task, rng = load_task(name), np.random.default_rng(seed)
    lo, hi = task.u_lo.numpy(), task.u_hi.numpy()
    states = [task.start(seed, 0)]
    actions = (
        rng.uniform(lo, hi, (60, task.m)) if rng.random() < 0.5 else np.tile(rng.uniform(lo, hi), (60, 1))
    )
    for u in actions:
        step = task.step(torch.from_numpy(states[-1])[None], torch.from_numpy(u)[None])
        states.append(step[0].numpy())
        if np.abs(states[-1]).max() > 300.0:
            break
    episodes = Episodes.of([Episode(np.stack(states), actions[: len(states) - 1])])
    windows = Windows(episodes, 8, task.system)
    window = windows.take(np.arange(len(windows)))
    system = task.system
    for i in system.angles:
        rate = window.x[..., i + system.configuration].abs()
        assert (
            window.x[..., i].diff(dim=1).abs() <= task.dt * (torch.maximum(rate[:, 1:], rate[:, :-1]) + 5.0)
        ).all()
    if system.mrp is not None:
        p = window.x[..., system.mrp : system.mrp + 3]
        omega = window.x[..., -4:-1] if name == "qpole" else window.x[..., -3:]
        speed = 0.25 * (1.0 + p.square().sum(-1)) * omega.norm(dim=-1)
        bound = 2.0 * task.dt * torch.maximum(speed[:, 1:], speed[:, :-1]) + 0.1
        calm = torch.maximum(omega.norm(dim=-1)[:, 1:], omega.norm(dim=-1)[:, :-1]) * task.dt < 1.0
        assert (p.diff(dim=1).norm(dim=-1) <= bound)[calm].all()


def test_attitude_crosses_the_switch_without_a_jump() -> None:
    angle = torch.linspace(2.6, 3.8, 13, dtype=torch.float64)
    x = torch.zeros(1, 13, 12, dtype=torch.float64)
    x[0, :, 3] = torch.tan(angle / 4)
    wrapped = TASK.system.to_short_mrp(x)
    assert (wrapped[0].diff(dim=0).abs() > 1).any()
    torch.testing.assert_close(continuous(TASK.system, wrapped), x)


def test_moving_spheres_are_where_the_task_moves_them() -> None:
    task = load_task("qpole_dyn_obs")
    rng = np.random.default_rng(3)
    made = [
        Episode(rng.normal(size=(n + 1, 14)), rng.normal(size=(n, 4)), task.obstacles(0, n))
        for n in (4, 7, 2)
    ]
    episodes = Episodes.of(made)
    windows = Windows(episodes, 6, task.system, task=task)
    window = windows.take(np.arange(len(windows)))
    assert window.centers is not None
    for start, centers, mask in zip(windows.starts, window.centers, window.mask, strict=True):
        number = int(np.searchsorted(episodes.bounds, int(start), side="right")) - 1
        states = torch.from_numpy(made[number].states)
        now = torch.from_numpy(made[number].centers)[None]  # type: ignore[arg-type]
        at = int(start) - int(episodes.bounds[number])
        path = [now := now if k == 0 else task.moved(now, states[k - 1][None]) for k in range(len(states))]
        for k in range(int(mask.sum())):
            assert torch.equal(centers[k], path[at + k][0])
    with pytest.raises(ConfigError, match="do not say where its spheres begin"):
        sphere_paths(Episodes(episodes.states, episodes.bounds), task)


def test_split_scaling_and_load(data: Path) -> None:
    episodes = load_episodes(data, TASK)
    train, held_out = episodes.split()
    assert (len(train), len(held_out)) == (5, 1) and len(held_out.states) == 11
    units = scaling(Windows(train, 8, TASK.system), TASK, 5)
    assert all(torch.isfinite(v).all() for v in units) and (units.output_scale > 0).all()
