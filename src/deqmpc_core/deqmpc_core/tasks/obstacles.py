"""Keep-out spheres of a task: distances on the swept path, layouts, and spheres that pursue the robot.

Positions in the task's frame [m]. B batch, k spheres, S pieces of the path between two knots.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.arrays import read_arrays
from deqmpc_core.errors import ConfigError, DataError, ShapeError
from deqmpc_core.types import Spheres

PIECE = 0.01  # s, the longest piece of a swept path
LAYOUTS = ("fixed", "random")  # any other layout is a file's name
MAX_LAYOUT = 64  # spheres the solver's kernels take


def segment_distance(
    points: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance (k,) of points (k, 3) to the segment a-b."""
    along = b - a
    length = float(along @ along)
    s = np.clip((points - a) @ along / length, 0.0, 1.0) if length > 0.0 else np.zeros(len(points))
    return np.linalg.norm(points - a - s[:, None] * along, axis=1)


def world_velocity(mrp: Tensor, body: Tensor) -> Tensor:
    """R(p) v (..., 3) of an attitude p (..., 3) as MRP and a body velocity v (..., 3)."""
    square = mrp.square().sum(-1, keepdim=True)
    cross = torch.linalg.cross(mrp, body)
    twice = torch.linalg.cross(mrp, cross)
    return body + (8.0 * twice + 4.0 * (1.0 - square) * cross) / (1.0 + square).square()


def curved_path(a: Tensor, velocity_a: Tensor, b: Tensor, velocity_b: Tensor, dt: float) -> Tensor:
    """Positions (B, S+1, 3), at most 10 ms apart, of the cubic from a to b, (B, 3) and dt [s] apart, that has
    the velocities (B, 3) of both ends.
    """
    pieces = max(1, math.ceil(dt / PIECE - 1e-9))
    s = torch.linspace(0.0, 1.0, pieces + 1, dtype=a.dtype, device=a.device)[:, None]
    from_a, from_b = (1.0 + 2.0 * s) * (1.0 - s) ** 2, s**2 * (3.0 - 2.0 * s)
    slope_a, slope_b = dt * s * (1.0 - s) ** 2, dt * s**2 * (s - 1.0)
    ends = from_a * a[:, None] + from_b * b[:, None]
    return ends + slope_a * velocity_a[:, None] + slope_b * velocity_b[:, None]


def swept_distance(path: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Smallest distance (B, k) from the broken line path (B, S+1, 3) to centres that go evenly from before
    to after, both (B, k, 3), meanwhile.
    """
    s = torch.linspace(0.0, 1.0, path.shape[1], dtype=path.dtype, device=path.device)[:, None, None]
    relative = path[:, :, None] - (before[:, None] + s * (after - before)[:, None])
    a, along = relative[:, :-1], relative.diff(dim=1)
    length = along.square().sum(-1).clamp_min(torch.finfo(path.dtype).tiny)
    share = (-(a * along).sum(-1) / length).clamp(0.0, 1.0)
    return (a + share[..., None] * along).norm(dim=-1).amin(1)


def pursued(centers: Tensor, target: Tensor, reach: float) -> Tensor:
    """Centres (B, k, 3) gone straight towards target (B, 3) by `reach` [m], no farther than to it."""
    way = target[:, None] - centers
    distance = way.norm(dim=-1, keepdim=True)
    return centers + way * (reach / distance.clamp_min(max(reach, 1e-12)))


def uniform_layout(
    rng: np.random.Generator, count: int, low: Sequence[float], high: Sequence[float],
    goal: Sequence[float], clear: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Centres (count, 3) uniform between low and high, at least `clear` from the goal, redrawn one by one."""
    centers: list[NDArray[np.float64]] = []
    while len(centers) < count:
        center = rng.uniform(low, high)
        if np.linalg.norm(center - goal) >= clear:
            centers.append(center)
    return np.stack(centers)


def read_layout(path: str | Path) -> NDArray[np.float64]:
    """Centres (k, 3), k from 1 to 64, of array `position` in an .npz file.

    Raises ConfigError for a file that is missing or no such file, ShapeError for another shape.
    """
    what = "layout: expected an .npz file with array 'position' (k, 3)"
    try:
        center = read_arrays(path, ("position",))["position"].astype(np.float64)
    except DataError as error:
        raise ConfigError(f"{what}, got {path}: {error}") from error
    if center.ndim != 2 or center.shape[1] != 3 or not 1 <= len(center) <= MAX_LAYOUT:
        raise ShapeError(f"{what} and k from 1 to {MAX_LAYOUT}, got shape {center.shape} in {path}")
    if not np.isfinite(center).all():
        raise ConfigError(f"{what}, got NaN or infinity in {path}")
    return center


def keep_out(
    centers: NDArray[np.float64], radius: float, margin: float, goal: NDArray[np.float64]
) -> Spheres:
    """The spheres of centers (k, 3) and radius [m]; ConfigError for numbers that leave no way to the goal
    (3,) or none at all.
    """
    for name, value in (("obstacle_radius", radius), ("safety_margin", margin)):
        if not 0.0 <= value < math.inf:
            raise ConfigError(f"{name}: expected a number of metres from 0, got {value}")
    nearest = float(np.linalg.norm(centers - goal, axis=1).min())
    if radius + margin >= nearest:
        raise ConfigError(
            f"obstacle_radius + safety_margin: expected less than {nearest:.3f} m, the distance of the "
            f"nearest centre to the goal, got {radius + margin:.3f}"
        )
    return Spheres(torch.from_numpy(centers), radius)


def clear_of(centers: NDArray[np.float64], place: NDArray[np.float64], radius: float) -> bool:
    """Whether place (3,) lies outside all spheres of centers (k, 3)."""
    return bool((np.linalg.norm(centers - place, axis=1) >= radius).all())
