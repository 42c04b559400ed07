"""Keep-out spheres as an operator sends them in flight: checked, and moved on to the time of each knot."""

from dataclasses import dataclass

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import Array

MOST = 64
"""As many as a solver's kernels take (mpc.problem.MAX_SPHERES)."""

FARTHEST, FASTEST, LARGEST = 100.0, 20.0, 50.0
"""m, m/s and m beyond which a number is taken for a mistake."""

REACH = 2.0
"""s after the stamp for which a velocity is believed; then the sphere is thought to rest."""


@dataclass(frozen=True)
class ObstacleSet:
    """Spheres in the world frame: centers (k, 3) [m] at `stamp` [s], velocities (k, 3) [m/s], radii (k,)
    [m]."""

    centers: Array
    velocities: Array
    radii: Array
    stamp: float

    @classmethod
    def checked(cls, centers: Array, velocities: Array, radii: Array, stamp: float) -> "ObstacleSet":
        """The set in arrays as they came: velocities (0, 3) means at rest, radii (1,) one for all.

        Raises ConfigError saying what is wrong with them.
        """
        count = _rows("centers", centers)
        _rows("velocities", velocities)
        if count > MOST:
            raise ConfigError(f"at most {MOST} spheres can be kept clear of, got {count}; drop the farthest")
        if len(velocities) not in (0, count):
            raise ConfigError(f"expected no velocity or {count}, one a centre, got {len(velocities)}")
        if radii.shape not in ((1,), (count,)):
            raise ConfigError(f"expected one radius for all or {count}, got {len(radii)}")
        for name, values, limit, unit in (
            ("centers", centers, FARTHEST, "m"),
            ("velocities", velocities, FASTEST, "m/s"),
            ("radii", radii, LARGEST, "m"),
        ):
            _within(name, values, limit, unit)
        if not np.isfinite(stamp):
            raise ConfigError(f"the stamp must be finite, got {stamp}")
        if np.any(radii <= 0.0):
            raise ConfigError(f"radii must be positive, got {float(np.min(radii)):g} m")
        still = np.zeros((count, 3)) if len(velocities) == 0 else velocities
        return cls(centers, still, np.broadcast_to(radii, (count,)).copy(), stamp)

    @property
    def moving(self) -> bool:
        """Whether any sphere moves."""
        return bool(np.any(self.velocities))

    def at(self, times: Array) -> Array:
        """Centres (T, k, 3), world [m], at times (T,) [s]."""
        ahead = np.clip(np.asarray(times, dtype=float) - self.stamp, 0.0, REACH)
        return self.centers + ahead[:, None, None] * self.velocities

    def clearance(self, points: Array, times: Array) -> float:
        """Least distance [m] of points (T, 3), world [m], at times (T,) to a surface; infinite without
        spheres."""
        if len(self.radii) == 0:
            return float("inf")
        distance = np.linalg.norm(points[:, None] - self.at(times), axis=2) - self.radii
        return float(distance.min())


NOTHING = ObstacleSet(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0), 0.0)
"""No sphere to keep clear of."""


def _rows(name: str, values: Array) -> int:
    if values.ndim != 2 or values.shape[1] != 3:
        raise ConfigError(f"{name} must be rows of three numbers, got shape {values.shape}")
    return len(values)


def _within(name: str, values: Array, limit: float, unit: str) -> None:
    if not np.all(np.isfinite(values)):
        raise ConfigError(f"{name} hold NaN or infinity")
    if values.size and np.max(np.abs(values)) > limit:
        raise ConfigError(f"{name} reach {np.max(np.abs(values)):g} {unit}, more than {limit:g} {unit}")
