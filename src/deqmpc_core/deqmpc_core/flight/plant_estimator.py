"""State of a plant from poses of its bodies. Deterministic; time comes with the samples.

Each coordinate has a Kalman filter of its own for value and rate, driven by white acceleration: what the
prediction does not know. Predicted is with the plant's model and the controls sent, or, without a model, at
constant rates.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from deqmpc_core.flight.configuration import check, number
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.plants import Plant, Poses

Motion = Callable[[Array, Array, float], Array]


class PlantSample(NamedTuple):
    """Capture time [s], frame counter, and the bodies' poses by name."""

    stamp: float
    frame_number: int
    poses: Poses


@dataclass(frozen=True)
class PlantEstimate:
    """State x (n,) at `stamp` [s], angles unwrapped; the newest frame used and its age [s]."""

    stamp: float
    frame_number: int
    x: Array
    age: float


@dataclass(frozen=True)
class PlantEstimatorConfig:
    """Noise of the poses and agility of what the model does not know; the gains follow from them."""

    position_noise: float = number(1e-3, "standard deviation of a body's position [m]", 1e-6, 1.0)
    angle_noise: float = number(3.5e-3, "standard deviation of a body's angle [rad]", 1e-6, 1.0)
    agility: float = number(
        0.1, "root of the spectral density of unknown linear accelerations [m/s^2/sqrt(Hz)]", 1e-3, 1e3
    )
    angular_agility: float = number(0.1, "of unknown angular ones [rad/s^2/sqrt(Hz)]", 1e-3, 1e3)
    max_gap: float = number(0.3, "a longer silence restarts the filter [s]", 0.02, 10.0)
    max_prediction: float = number(0.2, "estimates reach no farther past the last sample [s]", 0.0, 2.0)
    max_position: float = number(100.0, "positions beyond it are refused [m]", 1.0, 1e4)
    jump: float = number(0.5, "samples so far from the prediction are refused [m or rad]", 0.01, 10.0)

    def __post_init__(self) -> None:
        check(self)


class PlantEstimator:
    """Feed samples with update() and controls with control(); ask for the state at a time with estimate()."""

    def __init__(
        self, plant: Plant, config: PlantEstimatorConfig | None = None, motion: Motion | None = None,
        rest: Array | None = None,
    ) -> None:  # fmt: skip
        """motion: move(x, u, dt) -> x, the plant's model; rest (m,): the control while none is told."""
        self._plant, self.config = plant, config or PlantEstimatorConfig()
        self._motion, self._rest = motion, np.zeros(0) if rest is None else rest
        c = self.config
        self._noise = np.where(plant.angular, c.angle_noise, c.position_noise) ** 2
        self._drive = np.where(plant.angular, c.angular_agility, c.agility) ** 2
        self.complaint = ""
        """Why the last sample was refused; empty when it was taken."""
        self.reset()

    @property
    def bodies(self) -> tuple[str, ...]:
        """Names of the bodies that must be in view."""
        return self._plant.bodies

    def reset(self) -> None:
        """Forget every sample and control."""
        self.began = math.inf
        """Stamp of the first sample of the filter's present life [s]."""
        self._stamp: float | None = None
        self._frame_number = 0
        self._x = np.zeros(0)
        self._raw = b""
        self._covariance = np.zeros((len(self._noise), 2, 2))
        self._controls: deque[tuple[float, Array]] = deque(maxlen=100)

    def control(self, t: float, u: Array) -> None:
        """u (m,) is held from t [s] on."""
        self._controls.append((t, np.asarray(u, dtype=float)))

    def update(self, sample: PlantSample) -> bool:
        """Take a sample; False means refused, and counts as not received: `complaint` says why."""
        self.complaint = self._objection(sample)
        if self.complaint:
            return False
        measured = self._plant.seen(sample.poses)
        predicted = None
        if self._stamp is not None and sample.stamp - self._stamp <= self.config.max_gap:
            predicted = self._predicted(self._stamp, sample.stamp)
        if self._stamp is None or predicted is None or not np.isfinite(predicted).all():
            self._restart(sample.stamp, measured)
        else:
            way = self._plant.difference(predicted, measured)
            if float(np.max(np.abs(way))) > self.config.jump:
                self.complaint = f"a body jumped by {float(np.max(np.abs(way))):.2f} m or rad"
                return False
            self._correct(predicted, way, sample.stamp - self._stamp)
        self._stamp, self._frame_number = float(sample.stamp), int(sample.frame_number)
        return True

    def age(self, t: float) -> float:
        """Seconds from the newest sample to t; infinite before the first."""
        return math.inf if self._stamp is None else t - self._stamp

    def estimate(self, t: float) -> PlantEstimate | None:
        """The state at t [s], or None before the first sample; past max_prediction it stands still."""
        if self._stamp is None:
            return None
        age = self.age(t)
        ahead = min(max(age, 0.0), self.config.max_prediction)
        return PlantEstimate(t, self._frame_number, self._predicted(self._stamp, self._stamp + ahead), age)

    def _objection(self, sample: PlantSample) -> str:
        if not math.isfinite(sample.stamp):
            return "the stamp is not a number"
        if self._stamp is not None and sample.stamp <= self._stamp:
            return "the poses are not newer than those before"
        missing = [name for name in self._plant.bodies if name not in sample.poses]
        if missing:
            return f"no body '{missing[0]}' in view"
        rows = [np.concatenate(sample.poses[name]) for name in self._plant.bodies]
        return next((why for row in rows if (why := self._unsound(row))), "") or self._frozen(rows)

    def _unsound(self, row: Array) -> str:
        if row.shape != (7,) or not np.isfinite(row).all():
            return "a pose is not seven finite numbers"
        if float(np.max(np.abs(row[:3]))) > self.config.max_position:
            return f"a position is beyond {self.config.max_position:.0f} m"
        length = float(np.linalg.norm(np.clip(row[3:], -2.0, 2.0)))
        return "" if abs(length - 1.0) <= 0.05 else "a quaternion is not of length one"

    def _frozen(self, rows: list[Array]) -> str:
        """Noise never repeats to the last bit; a driver that has lost the bodies does."""
        raw, before = np.concatenate(rows).tobytes(), self._raw
        self._raw = raw
        return "the poses are frozen" if raw == before else ""

    def _restart(self, stamp: float, measured: Array) -> None:
        self.began, self._x = float(stamp), measured
        self._covariance = np.stack([np.diag([noise, 100.0]) for noise in self._noise])

    def _predicted(self, begin: float, end: float) -> Array:
        """The state moved on from begin to end [s], piece by piece of constant control."""
        x, u = self._x, self._rest
        for t, following in self._controls:
            if t >= end:
                break
            if t > begin:
                x, begin = self._moved(x, u, t - begin), t
            u = following
        return self._moved(x, u, end - begin)

    def _moved(self, x: Array, u: Array, dt: float) -> Array:
        if dt <= 0.0:
            return x
        if self._motion is None:
            rates = self._plant.rates(x)
            return self._plant.moved(x, dt * rates, np.zeros_like(rates))
        return self._motion(x, u, dt)

    def _correct(self, predicted: Array, way: Array, dt: float) -> None:
        step = np.array([[1.0, dt], [0.0, 1.0]])
        drive = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        covariance = step @ self._covariance @ step.T + self._drive[:, None, None] * drive
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + self._noise)[:, None]
        keep = np.eye(2) - gain[:, :, None] * np.array([1.0, 0.0])
        self._covariance = keep @ covariance @ np.swapaxes(keep, 1, 2)
        self._covariance += self._noise[:, None, None] * gain[:, :, None] * gain[:, None, :]
        self._x = self._plant.moved(predicted, gain[:, 0] * way, gain[:, 1] * way)
