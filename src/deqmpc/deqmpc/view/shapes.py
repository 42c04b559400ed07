"""What the page draws from, as arrays: line segments and colours."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[int, int, int]
# Okabe and Ito's colours: told apart with any colour vision.
DRONE, PLAN, WAYPOINT, OBSTACLE, GOAL, TRAIL = (
    (40, 40, 40), (0, 114, 178), (213, 94, 0), (230, 159, 0), (0, 158, 115), (150, 150, 150),
)  # fmt: skip
EARLY, LATE = np.array([204.0, 121.0, 167.0]), np.array([0.0, 114.0, 178.0])


def segments(points: Array) -> Array:
    """Line segments (N - 1, 2, 3) through points (N, 3); (0, 2, 3) for fewer than two."""
    if len(points) < 2:
        return np.zeros((0, 2, 3))
    return np.stack([points[:-1], points[1:]], axis=1)


def round_segments(rounds: list[Array]) -> tuple[Array, NDArray[np.uint8]]:
    """All rounds' plans as segments (N, 2, 3), and their colours (N, 2, 3): from purple for the first round
    to the plan's blue for the last."""
    parts, colours = [np.zeros((0, 2, 3))], [np.zeros((0, 2, 3))]
    for index, points in enumerate(rounds):
        share = index / max(len(rounds) - 1, 1)
        parts.append(segments(points))
        colours.append(np.broadcast_to((1.0 - share) * EARLY + share * LATE, parts[-1].shape))
    return np.concatenate(parts), np.concatenate(colours).astype(np.uint8)


def wxyz(quaternion: Array) -> tuple[float, float, float, float]:
    """(x, y, z, w) as (w, x, y, z)."""
    x, y, z, w = (float(value) for value in quaternion)
    return w, x, y, z
