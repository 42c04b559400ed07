"""From poses to control at each tick, whatever happens: a plan, the rest of the plan before, or rest."""

import traceback
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from deqmpc_core.flight.configuration import TIME_TOLERANCE, check, number
from deqmpc_core.flight.control_pilot import ControlPacket, ControlPilot
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.latency import LatencyCompensation
from deqmpc_core.flight.plant_estimator import (
    PlantEstimate,
    PlantEstimator,
    PlantEstimatorConfig,
    PlantSample,
)
from deqmpc_core.flight.plants import plant_of, sphere_centers
from deqmpc_core.systems.plain import plain_motion


class Source(Enum):
    """Where a control comes from; the value is the sentence a user reads."""

    NONE = "waiting for poses"
    PLAN = "the policy flies"
    BEFORE = "no new plan: the one before goes on"
    REST = "no plan left: at rest"


@dataclass(frozen=True)
class ControlLoopConfig:
    """When to begin and when to give poses up; each field's metadata holds its help text and its range."""

    ready_time: float = number(
        0.3, "robots other than the drone: poses come so long before the first control [s]", 0.0, 10.0
    )
    pose_timeout: float = number(
        0.1, "robots other than the drone: no new plan from poses older than this [s]", 0.02, 1.0
    )

    def __post_init__(self) -> None:
        check(self)


class ControlLoop:
    """see() takes samples, tick() answers with the control to send."""

    def __init__(
        self, pilot: ControlPilot, task: Any, config: ControlLoopConfig | None = None,
        latency: LatencyCompensation | None = None, noise: PlantEstimatorConfig | None = None,
    ) -> None:  # fmt: skip
        """task: deqmpc_core.tasks.Task. Raises UnknownNameError when its robot is no plant."""
        self.pilot, self._task, self.config = pilot, task, config or ControlLoopConfig()
        self.latency = latency or LatencyCompensation()
        self.rest: Array = task.limited(task.control_reference).numpy()
        """The control (m,) that holds the robot up, or leaves it alone."""
        plant = plant_of(task.system.name, task.system.parameters, task.origin.numpy())
        self.estimator = PlantEstimator(plant, noise, plain_motion(task.system, 1), self.rest)
        self._spheres = len(task.spheres.center) if task.moving and task.spheres is not None else 0
        self.reset()

    def reset(self) -> None:
        """Another episode: forget everything."""
        self.estimator.reset()
        self.pilot.reset()
        self.source, self.trouble = Source.NONE, ""
        self.packet: ControlPacket | None = None
        self.estimate: PlantEstimate | None = None
        self._centers: Array | None = None
        self._began = self.estimator.began

    def see(self, sample: PlantSample) -> bool:
        """Take a sample; False means refused. After a silence the pilot starts cold."""
        centers = sphere_centers(sample.poses, self._spheres)
        self._centers = self._centers if centers is None else centers
        taken = self.estimator.update(sample)
        if self.estimator.began != self._began:
            self.pilot.reset()
            self._began = self.estimator.began
        return taken

    def tick(self, t: float) -> Array | None:
        """The control (m,) to hold from t [s] on, finite and within the limits. None before poses have come
        for ready_time and, once no plan is left, after they have gone. `source` and `trouble` tell how it
        came about."""
        self.estimate = self.latency.look(self.estimator, t)
        fresh = self._planned(self.estimate, t)
        self.packet = fresh or self.packet
        planned = None if self.packet is None else self.packet.at(t)
        if planned is not None:
            self.source = Source.BEFORE if fresh is None else Source.PLAN
        else:
            self.source = Source.REST if self._ready(t) else Source.NONE
        if self.source is Source.NONE:
            return None
        u = self.rest if planned is None else planned
        self.estimator.control(t, u)
        return u

    def _ready(self, t: float) -> bool:
        """Whether poses come, and have come for long enough."""
        here = self.estimator.age(t) <= self.estimator.config.max_gap
        return here and t - self._began >= self.config.ready_time - TIME_TOLERANCE

    def _planned(self, seen: PlantEstimate | None, t: float) -> ControlPacket | None:
        """A new plan; None where poses are too old or too few, or the policy failed, foreseen or not."""
        self.trouble, age = "", self.estimator.age(t)
        if seen is None or not self._ready(t) or age > self.config.pose_timeout:
            self.trouble = f"the newest poses are {1e3 * age:.0f} ms old" if age < 60.0 else "no poses"
            return None
        try:
            if not np.isfinite(seen.x).all():
                raise ValueError("the estimate is not finite")
            return self.pilot.tick(seen.x, seen.stamp, seen.frame_number, self._centers)
        except Exception:
            self.trouble = traceback.format_exc()
            self.pilot.reset()
            return None
