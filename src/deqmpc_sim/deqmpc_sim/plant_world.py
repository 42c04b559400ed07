"""The simulated outside of a robot other than the drone: its true motion, motion capture of its bodies, and
the referee."""

import math
from collections import deque

import numpy as np
import torch
from numpy.typing import ArrayLike

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.frames import multiply, quaternion_from_rotation_vector, unit
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.flight.plants import LEVEL, BodyPose, plant_of, sphere_name
from deqmpc_core.systems.plain import plain_motion
from deqmpc_core.tasks import Task
from deqmpc_sim.control_input import ControlInput
from deqmpc_sim.firmware.truth import Array, Stream, TruthConfig, generator
from deqmpc_sim.mocap import RATE
from deqmpc_sim.plant_referee import PlantReferee
from deqmpc_sim.referee import EpisodeResult

LEAD = 0.3
"""s for which the robot moves under its rest control before the episode begins, so that velocities can be
seen: it passes through the episode's start at LEAD."""
_SLACK = 1e-6


class PlantWorld:
    """advance() runs the time; control() sets what acts from now on; take_samples() hands out what motion
    capture has published. The same seed, episode and controls give the same motion.

    The robot moves as the task's own model: what a policy has to cope with is the noise and the age of the
    poses, and the motion between its knots.
    """

    def __init__(
        self, task: Task, truth: TruthConfig | None = None, seed: int = 0, episode: int = 0,
        steps: int | None = None,
    ) -> None:  # fmt: skip
        """steps: knots that are judged; by default the task's."""
        self._task, self._truth = task, truth or TruthConfig()
        self._plant = plant_of(task.system.name, task.system.parameters, task.origin.numpy())
        self._move = plain_motion(task.system)
        self._noise = generator((seed, episode), Stream.MOCAP)
        self._per_step = round(task.dt * RATE)
        if abs(self._per_step - task.dt * RATE) > _SLACK:
            raise ConfigError(f"the task's dt must be a multiple of {1e3 / RATE:.0f} ms, got {task.dt} s")
        low, high, rest = (v.numpy() for v in (task.u_lo, task.u_hi, task.control_reference))
        self.input = ControlInput(low, high, rest)
        self._lead = self._way_to(task.start(seed, episode))
        self.x: Array = self._lead[0]
        """The true state (n,)."""
        self.referee = PlantReferee(task, self._lead[-1], task.obstacles(seed, episode), steps)
        self._frame = 0
        self._waiting: deque[PlantSample] = deque()
        self._capture()

    @property
    def time(self) -> float:
        """Seconds since the robot was first seen; the episode begins at LEAD."""
        return self._frame / RATE

    @property
    def over(self) -> bool:
        """The episode has ended: failure, success where that ends it, or the last step."""
        return self.referee.over

    def control(self, values: ArrayLike) -> bool:
        """A control arrives; False when it is refused."""
        return self.input.take(values, self.time)

    def advance(self, t: float) -> None:
        """Run until t [s], frame by frame; nothing moves once the episode is over."""
        while not self.over and self._frame + 1 <= t * RATE + _SLACK:
            self._advance_frame()

    def take_samples(self) -> list[PlantSample]:
        """Frames that have arrived since the last call, oldest first."""
        arrived: list[PlantSample] = []
        while self._waiting and self._waiting[0].stamp + self._truth.mocap_latency <= self.time + _SLACK:
            arrived.append(self._waiting.popleft())
        return arrived

    def result(self) -> EpisodeResult:
        """The verdict so far."""
        return self.referee.result()

    def _way_to(self, start: Array) -> list[Array]:
        """States a frame apart that lead to start (n,) at rest control, the start last."""
        way, rest = [start], self.input.at(-math.inf)
        for _ in range(round(LEAD * RATE)):
            way.append(self._move(way[-1], rest, -1.0 / RATE))
        return way[::-1]

    def _advance_frame(self) -> None:
        u = self.input.at(self.time)
        self._frame += 1
        begun = self._frame - len(self._lead) + 1
        if begun <= 0:
            self.x = self._lead[self._frame]
        else:
            after = torch.from_numpy(self._move(self.x, u, 1.0 / RATE))
            self.x = self._task.system.wrapped(after, self._task.angle_low).numpy()
            if begun % self._per_step == 0:
                self.referee.observe(self.x, u)
        self._capture()

    def _capture(self) -> None:
        if not np.isfinite(self.x).all():
            return
        poses = self._plant.place(self.x)
        poses |= {sphere_name(k): BodyPose(c, LEVEL) for k, c in enumerate(self._moving_centers())}
        noisy = {name: self._seen(pose) for name, pose in poses.items()}
        self._waiting.append(PlantSample(self.time, self._frame + 1, noisy))

    def _moving_centers(self) -> Array:
        """Centres (k, 3) world [m] of spheres that move, between knots on the way to the next."""
        share = (self._frame - len(self._lead) + 1) % self._per_step / self._per_step
        return self.referee.centers_at(share if self._frame >= len(self._lead) else 0.0)

    def _seen(self, pose: BodyPose) -> BodyPose:
        draws = self._noise.standard_normal(6)
        turn = quaternion_from_rotation_vector(self._truth.mocap_angle_noise * draws[3:])
        position = pose.position + self._truth.mocap_noise * draws[:3]
        return BodyPose(position, unit(multiply(pose.quaternion, turn)))
