"""Random tracking problems such as flight and training pose them: the same for the same seed, anywhere.

The quadrotor is caught in mid-flight and follows noisy waypoints towards a goal; obstacles lie about that
path, some of them across it, none around the start. A problem's first guess is cold (the start at every knot,
the reference control), or the shifted plan of the problem one knot before.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.tasks import Task, load_task
from deqmpc_core.types import Spheres

Array = NDArray[np.float64]
_LEAD = 8  # waypoints drawn beyond the horizon, so that a problem can be moved on


class Guess(NamedTuple):
    """First guess: x (B, T+1, n) of knots 0..T, u (B, T, m)."""

    x: Tensor
    u: Tensor


class Problems(NamedTuple):
    """B problems: x0 (B, n); reference (B, T, n) of knots 1..T and beyond (B, L, n), the waypoints that
    follow; spheres of center (B, k, 3) and radius (B, k), or None; the first guess. Float64."""

    task: Task
    x0: Tensor
    reference: Tensor
    spheres: Spheres | None
    beyond: Tensor
    guess: Guess

    @property
    def batch(self) -> int:
        """Number of problems B."""
        return self.x0.shape[0]

    @property
    def horizon(self) -> int:
        """Number of intervals T."""
        return self.reference.shape[1]

    @property
    def spheres_count(self) -> int:
        """Number of spheres k."""
        return 0 if self.spheres is None else self.spheres.center.shape[-2]

    @property
    def cold(self) -> bool:
        """Whether the first guess knows nothing but the start."""
        blank = cold_guess(self.task, self.x0, self.horizon)
        return torch.equal(self.guess.x, blank.x) and torch.equal(self.guess.u, blank.u)

    def tiled(self, count: int) -> "Problems":
        """`count` problems: these, over and over."""
        return self.take(torch.arange(count) % self.batch)

    def take(self, rows: slice | Tensor) -> "Problems":
        """The problems of these rows: a slice, or indices (R,)."""
        spheres = self.spheres
        if spheres is not None:
            spheres = Spheres(spheres.center[rows], torch.as_tensor(spheres.radius)[rows])
        guess = Guess(self.guess.x[rows], self.guess.u[rows])
        return Problems(self.task, self.x0[rows], self.reference[rows], spheres, self.beyond[rows], guess)


def random_problems(
    kind: str, horizon: int, count: int, seed: int = 0, obstacles: int = 0, task: Task | None = None
) -> Problems:
    """`count` problems of task `kind` (quadrotor, qpole, cartpole, pendulum) over `horizon` intervals.

    obstacles: k spheres a problem, for robots with a position. task: numbers other than load_task(kind)'s.
    Problem i depends on (seed, i) alone, and its waypoints are the same for every horizon. Raises
    UnknownNameError.
    """
    if kind not in _DRAW:
        raise UnknownNameError("kind of problem", kind, _DRAW)
    task = load_task(kind) if task is None else task
    drawn = [_DRAW[kind](np.random.default_rng((seed, i)), task.dt, horizon, obstacles) for i in range(count)]
    x0, path, centers, radii = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    spheres = Spheres(centers, radii) if obstacles else None
    return Problems(task, x0, path[:, :horizon], spheres, path[:, horizon:], cold_guess(task, x0, horizon))


def cold_guess(task: Task, x0: Tensor, horizon: int) -> Guess:
    """The start x0 (B, n) at every knot, and the reference control."""
    controls = task.control_reference.expand(x0.shape[0], horizon, task.m).clone()
    return Guess(x0[:, None].repeat(1, horizon + 1, 1), controls)


def warm_problems(before: Problems, x: Tensor, u: Tensor, seed: int = 0) -> Problems:
    """The problems one knot later: they start where the plan x (B, T+1, n), u (B, T, m) of `before` led, but
    for noise, and their first guess is that plan, shifted, its last knot held."""
    rng = np.random.default_rng((seed, 1))
    scale = torch.from_numpy(rng.normal(size=(before.batch, before.task.n)) * 0.01)
    speeds = torch.ones(before.task.n, dtype=torch.float64)
    speeds[before.task.q :] = 3.0  # velocities are known less well than places
    path = torch.cat([before.reference, before.beyond], 1)[:, 1:]
    guess = Guess(torch.cat([x[:, 1:], x[:, -1:]], 1), torch.cat([u[:, 1:], u[:, -1:]], 1))
    return before._replace(
        x0=x[:, 1] + scale * speeds, reference=path[:, : before.horizon], beyond=path[:, before.horizon :],
        guess=guess,
    )  # fmt: skip


def _quadrotor(rng: np.random.Generator, dt: float, horizon: int, obstacles: int) -> tuple[Array, ...]:
    """Tilted up to some 0.5 rad, at 1 to 2 m/s; waypoints at 0.5 to 2.5 m/s towards a goal."""
    axis = rng.normal(size=3)
    tilt = rng.uniform(0.0, 0.5) * axis / np.linalg.norm(axis)
    place, velocity, rates = rng.uniform(-2.0, 2.0, 3), rng.normal(0.0, 0.8, 3), rng.normal(0.0, 0.5, 3)
    x0 = np.concatenate([place, np.tan(tilt / 4.0), velocity, rates])
    way = velocity + rng.normal(0.0, 1.5, 3)
    speed = rng.uniform(0.5, 2.5)
    way = way / np.linalg.norm(way) * speed
    later = dt * np.arange(1, 100 + _LEAD + 1)[:, None]
    noise = rng.normal(size=(len(later), 12)) * np.repeat((0.1, 0.1, 0.5, 0.5), 3)
    path = np.concatenate([place + way * later, np.zeros((len(later), 3)), np.tile(way, (len(later), 1)),
                           np.zeros((len(later), 3))], 1) + noise  # fmt: skip
    centers, radii = _spheres(rng, place, velocity, way * dt * horizon, obstacles)
    return x0, path[: horizon + _LEAD], centers, radii


def _spheres(
    rng: np.random.Generator, place: Array, velocity: Array, leg: Array, count: int
) -> tuple[Array, Array]:
    """Centers (k, 3), radii (k,) around the leg (3,) flown from `place`: one in eight cuts it where that
    leaves the start clear, the others lie within 2 m; clear too of the 0.15 s that no control can mend."""
    radii = rng.uniform(0.3, 0.5, count)
    soon = place + velocity * np.linspace(0.0, 0.15, 4)[:, None]

    def clear(center: Array, radius: float) -> bool:
        return bool(np.linalg.norm(soon - center, axis=1).min() > radius + 0.05)

    def draw(i: int) -> Array:
        for _ in range(20 if i % 8 == 0 else 0):
            offset = rng.normal(size=3)
            offset *= rng.uniform(0.3, 1.1) * radii[i] / np.linalg.norm(offset)
            center = place + rng.uniform(0.2, 1.2) * leg + offset
            if clear(center, radii[i]):
                return center
        while True:
            center = place + rng.uniform(0.0, 1.2) * leg + rng.uniform(-2.0, 2.0, 3)
            if clear(center, radii[i]):
                return center

    return np.array([draw(i) for i in range(count)]).reshape(count, 3), radii


def _pendulum(rng: np.random.Generator, dt: float, horizon: int, _: int) -> tuple[Array, ...]:
    """Anywhere, waypoints turning upright within a second or two."""
    x0 = rng.uniform((-np.pi, -1.0), (np.pi, 1.0))
    return x0, _homeward(rng, x0, dt, horizon, (0.1, 0.5)), np.zeros((0, 3)), np.zeros(0)


def _cartpole(rng: np.random.Generator, dt: float, horizon: int, _: int) -> tuple[Array, ...]:
    """Anywhere, waypoints towards upright in the middle."""
    x0 = rng.uniform(-np.pi, np.pi, 4) * (1.0, 1.0, 0.5, 0.5)
    return x0, _homeward(rng, x0, dt, horizon, (0.1, 0.1, 0.5, 0.5)), np.zeros((0, 3)), np.zeros(0)


def _homeward(
    rng: np.random.Generator, x0: Array, dt: float, horizon: int, noise: tuple[float, ...]
) -> Array:
    """Waypoints (T + lead, n) whose coordinates decay to zero with a time constant of 0.5 to 2 s."""
    q = len(x0) // 2
    rate = 1.0 / rng.uniform(0.5, 2.0)
    share = np.exp(-rate * dt * np.arange(1, 100 + _LEAD + 1))[:, None]
    path = np.concatenate([x0[:q] * share, -rate * x0[:q] * share], 1)
    return (path + rng.normal(size=path.shape) * noise)[: horizon + _LEAD]


def _qpole(rng: np.random.Generator, dt: float, horizon: int, obstacles: int) -> tuple[Array, ...]:
    """The quadrotor's problems with a pole anywhere, its waypoints turning it upright."""
    x0, path, centers, radii = _quadrotor(rng, dt, horizon, obstacles)
    pole = np.array([rng.uniform(-np.pi, np.pi), rng.uniform(-1.0, 1.0)])
    turning = _homeward(rng, pole - (np.pi, 0.0), dt, horizon, (0.1, 0.5)) + (np.pi, 0.0)
    return np.insert(x0, (6, 12), pole), np.insert(path, (6, 12), turning, axis=1), centers, radii


_DRAW: dict[str, Callable[[np.random.Generator, float, int, int], tuple[Array, ...]]] = {
    "quadrotor": _quadrotor, "cartpole": _cartpole, "pendulum": _pendulum, "qpole": _qpole,
}  # fmt: skip
