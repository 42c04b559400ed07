"""The judge of a policy's flight: it sees the true state at every physics step and knows the task's rules."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from deqmpc_core.flight.frames import task_from_world
from deqmpc_core.jit import compiled
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.crazyflie import GOAL_TOLERANCE, GOAL_WINDOW, MAX_TILT, ROOM_HI, ROOM_LO, ROOM_MARGIN
from deqmpc_sim.firmware.truth import Array, TrueState

_TIME_SLACK = 1e-6
_COS_MAX_TILT = math.cos(MAX_TILT)
_LOW, _HIGH = ROOM_LO - ROOM_MARGIN, ROOM_HI + ROOM_MARGIN
FAILURES = ("state not finite", "sphere entered", "left the room", "floor contact", "tilt above 80 degrees")


@dataclass(frozen=True)
class EpisodeResult:
    """A policy's flight in figures.

    return_: sum of the rewards, 0 each after a failure. success: no failure, flown to the end, and
    mean_distance at most 0.15 m. failure: the first reason, or None. final_distance: distance to the goal at
    the last observation [m]. mean_distance: its mean over the last 5 s, NaN where the flight ended before.
    min_obstacle_distance: smallest distance to a sphere's surface on the swept path [m], negative inside,
    infinite without spheres. steps: rewards sampled before a failure.
    """

    return_: float
    success: bool
    failure: str | None
    final_distance: float
    mean_distance: float
    min_obstacle_distance: float
    steps: int


@compiled
def _clearance(a: Array, b: Array, center: Array, radius: Array) -> float:
    """Smallest distance [m] of the segment a-b, (3,) each, to the surface of spheres center (k, 3), radius
    (k,).
    """
    dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    length = dx * dx + dy * dy + dz * dz
    nearest = np.inf
    for j in range(center.shape[0]):
        x, y, z = center[j, 0] - a[0], center[j, 1] - a[1], center[j, 2] - a[2]
        s = 0.0 if length == 0.0 else min(1.0, max(0.0, (x * dx + y * dy + z * dz) / length))
        x, y, z = x - s * dx, y - s * dy, z - s * dz
        nearest = min(nearest, math.sqrt(x * x + y * y + z * z) - radius[j])
    return nearest


@compiled
def _verdict(truth: TrueState, low: Array, high: Array, clearance: float) -> int:
    """Index into FAILURES of the first rule broken, or -1; low and high (3,) bound the room with its margin
    [m].
    """
    q, p = truth.quaternion, truth.position
    finite = np.isfinite(q).all() and np.isfinite(truth.velocity).all() and np.isfinite(truth.omega).all()
    if not (finite and np.isfinite(p).all()):
        return 0
    if clearance < 0.0:
        return 1
    if (p < low).any() or (p > high).any():
        return 2
    if truth.floor_contact:
        return 3
    return 4 if 1.0 - 2.0 * (q[0] * q[0] + q[1] * q[1]) < _COS_MAX_TILT else -1


class Referee:
    """begin() when the policy takes over, observe() after every physics step, end() when it hands over, then
    result().
    """

    def __init__(self, task: Task, centers: Array | None = None) -> None:
        """centers (k, 3), task frame: the spheres of this episode, by default the task's own."""
        self._task = task
        self._origin = task.origin.numpy()
        self._goal = self._origin + task.goal[:3].numpy()
        self._center, self._radius = _world_spheres(task, centers)
        self.active = False
        self.failure: str | None = None
        self._begin, self._steps = 0.0, task.episode_steps
        self._previous = np.zeros(3)
        self._rewards: list[float] = []
        self._samples = 0
        self._clearance = self._distance = math.inf
        self._window_sum, self._window_count = 0.0, 0

    def begin(self, t: float, truth: TrueState, steps: int | None = None) -> None:
        """The policy takes over at t [s], for `steps` steps (by default the task's number)."""
        self.active, self._begin = True, t
        self._steps = self._task.episode_steps if steps is None else steps
        self._previous = truth.position
        self._look(truth)

    def observe(self, t: float, truth: TrueState) -> None:
        """One physics step's end; samples the reward every task.dt. Idle unless the policy flies."""
        if not self.active or self._samples == self._steps:
            return
        self._look(truth)
        if t - self._begin > self._duration - GOAL_WINDOW + _TIME_SLACK:
            self._window_sum += self._distance
            self._window_count += 1
        if t - self._begin >= (self._samples + 1) * self._task.dt - _TIME_SLACK:
            self._samples += 1
            if self.failure is None:
                self._rewards.append(self._reward(truth))

    def end(self, reason: str | None = None) -> None:
        """The policy hands over; before the last step that is a failure, named by `reason`."""
        if self.active and self._samples < self._steps:
            flown = self._samples * self._task.dt
            self._fail(
                f"policy flight ended after {flown:.1f} s of {self._duration:.1f} s"
                + (f": {reason}" if reason else "")
            )
        self.active = False

    def result(self) -> EpisodeResult:
        """The verdict so far; a policy that never began or has not ended its flight has failed."""
        done = self._samples == self._steps
        mean = self._window_sum / self._window_count if done and self._window_count else math.nan
        return EpisodeResult(
            return_=math.fsum(self._rewards),
            success=done and self.failure is None and mean <= GOAL_TOLERANCE,
            failure=self.failure if done or self.failure else "the policy did not fly to the end",
            final_distance=self._distance,
            mean_distance=mean,
            min_obstacle_distance=self._clearance,
            steps=len(self._rewards),
        )

    @property
    def done(self) -> bool:
        """All steps are flown."""
        return self._samples == self._steps

    @property
    def distance(self) -> float:
        """Distance to the goal at the last observation [m]."""
        return self._distance

    @property
    def _duration(self) -> float:
        return self._steps * self._task.dt

    def _look(self, truth: TrueState) -> None:
        clearance = _clearance(self._previous, truth.position, self._center, self._radius)
        verdict = _verdict(truth, _LOW, _HIGH, clearance)
        if verdict >= 0:
            self._fail(FAILURES[verdict])
        if verdict == 0:
            return
        self._clearance = min(self._clearance, clearance)
        self._distance = math.dist(truth.position, self._goal)
        self._previous = truth.position

    def _fail(self, reason: str) -> None:
        self.failure = self.failure or reason

    def _reward(self, truth: TrueState) -> float:
        x = task_from_world(truth.position, truth.quaternion, truth.velocity, truth.omega, self._origin)
        return float(self._task.reward(torch.from_numpy(x)))


def _world_spheres(task: Task, centers: Array | None) -> tuple[Array, Array]:
    """Centres (k, 3) in the world and radii (k,) [m]."""
    if task.spheres is None:
        return np.zeros((0, 3)), np.zeros(0)
    center = task.spheres.center.numpy() if centers is None else centers
    center = np.ascontiguousarray(center + task.origin.numpy())
    radius = np.asarray(task.spheres.radius, dtype=np.float64)
    return center, np.ascontiguousarray(np.broadcast_to(radius, len(center)))
