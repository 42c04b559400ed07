"""The simulated outside of one episode: robot, motion capture, the bridge that feeds poses back on board, and
the referee.
"""

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import PoseSample
from deqmpc_core.tasks import Task
from deqmpc_sim.firmware import STEPS_PER_SECOND, SimulatedCrazyflie, TrueState, TruthConfig
from deqmpc_sim.firmware.truth import Array
from deqmpc_sim.mocap import RATE, MotionCapture
from deqmpc_sim.referee import EpisodeResult, Referee

CAPTURE_EVERY = STEPS_PER_SECOND // RATE


class World:
    """Everything outside the policy and the commander; the same seed, episode and commands give the same
    flight.

    The robot stands on the floor below the episode's start. advance() runs the time; take_poses() hands out
    what motion capture published meanwhile; begin_policy() and end_policy() tell the referee who flies.
    """

    def __init__(
        self,
        task: Task,
        truth: TruthConfig | None = None,
        seed: int = 0,
        episode: int = 0,
        position: ArrayLike | None = None,
    ) -> None:
        """position (3,) world [m]: where the robot stands instead."""
        truth = truth or TruthConfig()
        self.start: Array = task.start(seed, episode)[:3] + task.origin.numpy()
        """Where the policy's flight begins (3,), world [m]."""
        stand = self.start * (1.0, 1.0, 0.0) if position is None else np.asarray(position, dtype=np.float64)
        self.drone = SimulatedCrazyflie(truth, (seed, episode), stand)
        self.mocap = MotionCapture(truth, (seed, episode))
        self.referee = Referee(task, task.obstacles(seed, episode))
        self.frame_number = 0
        """Of the last pose published, 0 before the first."""
        self._tick = 0
        self._published: list[PoseSample] = []
        self._publish()

    @property
    def time(self) -> float:
        """Seconds since the start."""
        return self._tick / STEPS_PER_SECOND

    @property
    def truth(self) -> TrueState:
        """The robot's true state."""
        return self.drone.truth

    def advance(self, t: float) -> None:
        """Run until t [s], a multiple of 2 ms; what is due at t has happened when this returns."""
        until = round(t * STEPS_PER_SECOND)
        if until < self._tick:
            raise ConfigError(f"time cannot go back from {self.time} s to {t} s")
        while self._tick < until:
            self.drone.step()
            self._tick += 1
            if self.referee.active:
                self.referee.observe(self.time, self.drone.truth)
            self._publish()

    def take_poses(self) -> list[PoseSample]:
        """Poses published since the last call, oldest first."""
        poses, self._published = self._published, []
        return poses

    def begin_policy(self, steps: int | None = None) -> None:
        """The policy takes over now, for `steps` steps of the task."""
        self.referee.begin(self.time, self.truth, steps)

    def end_policy(self, reason: str | None = None) -> None:
        """The policy hands over now."""
        self.referee.end(reason)

    def result(self) -> EpisodeResult:
        """The referee's verdict."""
        return self.referee.result()

    def _publish(self) -> None:
        if self._tick % CAPTURE_EVERY == 0:
            self.mocap.capture(self.time, self.drone.truth)
        for sample in self.mocap.due(self.time):
            self.drone.external_pose(sample.position, sample.quaternion)
            self.frame_number = sample.frame_number
            self._published.append(sample)


def warm_up(task: Task) -> None:
    """Compile every kernel that a flight needs, so that a real-time one need not wait for it."""
    world = World(task)
    world.begin_policy(steps=1)
    world.drone.full_state_setpoint(world.start, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
    world.advance(0.1)
