"""Keep-out spheres: distances on the swept path, layouts, starts, and spheres that move."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.tasks import load_task
from deqmpc_core.tasks.obstacles import curved_path, pursued, segment_distance, swept_distance

_COORDINATE = st.floats(-3.0, 3.0).map(lambda v: round(v, 3))


def _points(*shape: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float64, shape, elements=_COORDINATE)


@settings(max_examples=50)
@given(_points(4, 3), _points(2, 3), _points(2, 3))
def test_swept_distance_is_the_least_of_many_samples(
    corners: np.ndarray, before: np.ndarray, after: np.ndarray
) -> None:
    """The robot goes through four corners while the two centres go straight."""
    found = swept_distance(*(torch.from_numpy(v)[None] for v in (corners, before, after)))[0].numpy()
    time = np.linspace(0.0, 3.0, 1501)
    place = np.stack([np.interp(time, range(4), corners[:, i]) for i in range(3)], 1)
    centers = before + time[:, None, None] / 3.0 * (after - before)
    sampled = np.linalg.norm(place[:, None] - centers, axis=2)
    finest = np.linalg.norm(np.diff(place[:, None] - centers, axis=0), axis=2).max(0)
    assert (found <= sampled.min(0) + 1e-9).all()
    assert (found >= sampled.min(0) - finest - 1e-9).all()


@settings(max_examples=50)
@given(_points(2, 3), _points(3), _points(3))
def test_both_distances_agree_on_a_still_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    chord, still = torch.from_numpy(np.stack([a, b]))[None], torch.from_numpy(points)[None]
    np.testing.assert_allclose(
        swept_distance(chord, still, still)[0].numpy(), segment_distance(points, a, b), atol=1e-9
    )


def _flight(name: str, samples: int) -> tuple[Tensor, Tensor]:
    """Starts (B, n) of a task and random controls within its limits."""
    task = load_task(name)
    x = torch.from_numpy(np.stack([task.start(0, e) for e in range(samples)]))
    share = torch.rand(samples, task.m, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x, task.u_lo + share * (task.u_hi - task.u_lo)


@pytest.mark.parametrize("name", ["quadrotor", "qpole_obs"])
def test_the_swept_path_is_the_way_flown(name: str) -> None:
    task, (x, u) = load_task(name), _flight(name, 50)
    path = task.path(x, task.step(x, u))
    assert path.shape == (50, 6, 3)
    for i in range(6):
        flown = task.system.rk4(x, u, 0.01 * i)[:, :3] if i else x[:, :3]
        assert (path[:, i] - flown).norm(dim=-1).max() < 1e-3
    assert (task.velocity(x) - task.system.derivative(x, u)[:, :3]).abs().max() < 1e-12


def test_a_sphere_between_the_knots_of_a_fast_robot_is_seen() -> None:
    task = load_task("qpole_obs")
    assert task.spheres is not None
    before = task.goal.repeat(3, 1)
    before[:, 7] = 25.0  # m/s along x: 1.25 m a step, more than a sphere's diameter
    after = before.clone()
    apart = torch.cdist(task.spheres.center, task.spheres.center).fill_diagonal_(torch.inf).amin(1)
    center = task.spheres.center[apart.argmax()]
    side = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.49, 0.0], [0.0, 0.0, 40.0]], dtype=torch.float64)
    shift = torch.tensor([0.625, 0.0, 0.0], dtype=torch.float64)
    before[:, :3], after[:, :3] = center + side - shift, center + side + shift
    after[2, 9] = torch.nan
    reasons = ["sphere entered", "sphere entered", "state not finite"]
    assert task.failures(before, after) == reasons
    assert [task.failure(a, b) for a, b in zip(before, after, strict=True)] == reasons
    wider = load_task("qpole_obs", obstacle_radius=0.48, safety_margin=0.4)  # the margin is the solver's only
    assert wider.failures(before[:2], after[:2]) == ["sphere entered", None]


def test_layout_of_ours_has_the_character_of_the_published_one(shared_data: Callable[[str], Path]) -> None:
    ours = load_task("qpole_obs").spheres
    published = load_task("qpole_obs", layout=str(shared_data("obstacles40.npz"))).spheres
    for spheres, nearest in ((ours, 1.3), (published, 1.31)):
        assert spheres is not None and spheres.center.shape == (40, 3) and spheres.radius == 0.5
        assert spheres.center.abs().max() < 4.91 and spheres.center.norm(dim=-1).min() >= nearest


_GOOD = np.full((40, 3), 3.0)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        (None, "no.npz"),
        (b"PK\x03\x04 cut off", "layout.npz"),
        ({"centre": _GOOD}, "position"),
        ({"position": _GOOD[:, :2]}, r"\(40, 2\)"),
        ({"position": np.zeros((0, 3))}, r"\(0, 3\)"),
        ({"position": np.full((65, 3), 3.0)}, r"\(65, 3\)"),
        ({"position": np.where(_GOOD > 9, 0, np.nan)}, "NaN"),
        ({"position": np.array([[None, "x", 1]])}, "layout.npz"),
        ({"position": np.concatenate([_GOOD, [[0.2, 0.0, 0.0]]])}, "nearest centre to the goal"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(
    arrays: dict[str, np.ndarray] | bytes | None, match: str, tmp_path: Path
) -> None:
    file = tmp_path / ("no.npz" if arrays is None else "layout.npz")
    if isinstance(arrays, bytes):
        file.write_bytes(arrays)
    elif arrays is not None:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    for name in ("qpole_obs", "qpole_dyn_obs"):
        with pytest.raises(DeqmpcError, match=match):
            load_task(name, layout=str(file))


@pytest.mark.parametrize(
    "wrong", [{"obstacle_radius": -0.1}, {"obstacle_radius": 2.0}, {"safety_margin": float("nan")}]
)
def test_numbers_that_leave_no_way_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        load_task("qpole_obs", **wrong)
    with pytest.raises(ConfigError, match="obstacle_speed"):
        load_task("qpole_dyn_obs", obstacle_speed=-1.0)


@pytest.mark.parametrize("name", ["qpole_obs", "qpole_dyn_obs", "crazyflie"])
def test_a_random_layout_depends_on_seed_and_episode_alone_and_starts_lie_outside(name: str) -> None:
    task, again = load_task(name, layout="random"), load_task(name, layout="random")
    layouts = [task.obstacles(seed, e) for seed in (0, 1) for e in range(5)]
    assert len({layout.tobytes() for layout in layouts if layout is not None}) == 10
    for (seed, e), layout in zip([(s, e) for s in (0, 1) for e in range(5)], layouts, strict=True):
        assert layout is not None and layout.tobytes() == np.asarray(again.obstacles(seed, e)).tobytes()
        assert np.linalg.norm(layout - task.start(seed, e)[:3], axis=1).min() >= 0.1
    with pytest.raises(ConfigError, match="pass centers"):
        task.observe(task.goal[None])


def test_starts_are_redrawn_one_by_one_until_they_lie_outside() -> None:
    """The same draws as without obstacles, each skipped while inside and no other touched."""
    plain, task = load_task("qpole"), load_task("qpole_obs", obstacle_radius=1.2)
    kept = 0
    for episode in range(60):
        start, free = task.start(0, episode), plain.start(0, episode)
        centers = task.obstacles(0, episode)
        assert centers is not None and np.linalg.norm(centers - start[:3], axis=1).min() >= 1.2
        inside = np.linalg.norm(centers - free[:3], axis=1).min() < 1.2
        assert inside != np.array_equal(start, free)
        kept += not inside
    assert 10 < kept < 60


def _amid(samples: int) -> tuple[Tensor, Tensor]:
    """Starts (B, 14) and their own centres (B, 40, 3)."""
    task = load_task("qpole_dyn_obs", layout="random")
    x, _ = _flight("qpole_dyn_obs", samples)
    return x, torch.from_numpy(np.stack([np.asarray(task.obstacles(0, e)) for e in range(samples)]))


def test_spheres_go_at_their_speed_towards_where_the_robot_will_be() -> None:
    task, (x, centers) = load_task("qpole_dyn_obs", obstacle_speed=0.5), _amid(20)
    target = x[:, None, :3] + 5 * 0.05 * task.velocity(x)[:, None]
    moved = task.moved(centers, x)
    gone = moved - centers
    assert (gone.norm(dim=-1) - 0.5 * 0.05).abs().max() < 1e-12
    assert torch.linalg.cross(gone, target - centers).norm(dim=-1).max() < 1e-12
    assert ((gone * (target - centers)).sum(-1) > 0.0).all()
    assert torch.equal(pursued(centers, centers[:, 7], 0.025)[:, 7], centers[:, 7])  # there already: it waits


def test_a_samples_spheres_do_not_depend_on_its_batch() -> None:
    task, (x, centers) = load_task("qpole_dyn_obs"), _amid(7)
    together, predicted = task.moved(centers, x), task.predicted(centers, x, 4)
    for b in range(7):
        assert torch.equal(task.moved(centers[b : b + 1], x[b : b + 1])[0], together[b])
        assert torch.equal(task.predicted(centers[b : b + 1], x[b : b + 1], 4)[0], predicted[b])


def test_prediction_is_exact_for_a_robot_that_keeps_its_velocity() -> None:
    task, (x, centers) = load_task("qpole_dyn_obs", obstacle_speed=0.5), _amid(5)
    predicted, coasting = task.predicted(centers, x, 8), x.clone()
    for knot in range(8):
        centers = task.moved(centers, coasting)
        coasting[:, :3] += 0.05 * task.velocity(x)
        assert (predicted[:, knot] - centers).abs().max() < 1e-12


def test_a_sphere_that_moves_into_the_robot_is_seen_and_centers_are_needed() -> None:
    task = load_task("qpole_dyn_obs", obstacle_speed=8.0)  # 0.4 m a step
    x = task.goal[None]
    centers = torch.tensor([[[0.8, 0.0, 0.0]]], dtype=torch.float64)
    assert task.failures(x, x, centers) == ["sphere entered"]
    assert load_task("qpole_dyn_obs").failures(x, x, centers) == [None]
    with pytest.raises(ConfigError, match="pass centers"):
        task.failures(x, x)


def test_a_policy_sees_predicted_centres_and_the_solver_keeps_clear_of_each_at_its_knot() -> None:
    """A sphere that comes down onto the robot bends the plan as it comes; where it is now it would not."""
    moving, task = load_task("qpole_dyn_obs", obstacle_speed=1.0), load_task("crazyflie")
    above = torch.tensor([[[0.0, 0.0, 0.75]]], dtype=torch.float64)
    seen = moving.observe(moving.goal[None], above).spheres
    assert seen is not None and seen.radius == 0.5
    assert seen.center[0, :, 0, 2].tolist() == pytest.approx([0.70, 0.65, 0.60, 0.55, 0.50])
    x0 = task.goal[None]
    plan = TrackingSolver(task, safety_margin=0.05)(x0, task.goal.expand(1, 5, -1), spheres=seen).x[0, 1:, 2]
    assert plan.tolist() == pytest.approx([0.0, 0.0, 0.0, 0.0, -0.05], abs=0.06)
    assert (seen.center[0, :, 0, 2] - plan).min() == pytest.approx(0.55, abs=1e-4)


def test_smooth_motion_is_followed_exactly_by_the_cubic() -> None:
    t = torch.linspace(0.0, 0.05, 6, dtype=torch.float64)[:, None]
    a, b, c, d = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    place, speed = a + b * t + c * t**2 + d * t**3, b + 2 * c * t + 3 * d * t**2
    path = curved_path(place[:1], speed[:1], place[-1:], speed[-1:], 0.05)
    assert (path[0] - place).abs().max() < 1e-12
