"""The simulated outside of one episode: robot, motion capture, the bridge that feeds poses back on board, and
the referee.
"""

import heapq

import numpy as np
from numpy.typing import ArrayLike

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import PoseSample
from deqmpc_core.tasks import Task
from deqmpc_sim.bridge import PoseBridge
from deqmpc_sim.crash import CrashWatch
from deqmpc_sim.firmware import STEPS_PER_SECOND, SimulatedCrazyflie, TrueState, TruthConfig
from deqmpc_sim.firmware.truth import Array
from deqmpc_sim.mocap import RATE, Frame, MotionCapture
from deqmpc_sim.radio import Action, Radio, RadioConfig
from deqmpc_sim.referee import EpisodeResult, Referee
from deqmpc_sim.strikes import Strike, apply

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
        radio: RadioConfig | None = None,
        guarded: bool = True,
    ) -> None:
        """position (3,) world [m]: where the robot stands instead. guarded: the bridge to the robot's own
        estimator drops poses that cannot be true."""
        truth = truth or TruthConfig()
        self.start: Array = task.start(seed, episode)[:3] + task.origin.numpy()
        """Where the policy's flight begins (3,), world [m]."""
        stand = self.start * (1.0, 1.0, 0.0) if position is None else np.asarray(position, dtype=np.float64)
        self.drone = SimulatedCrazyflie(truth, (seed, episode), stand)
        self.mocap = MotionCapture(truth, (seed, episode))
        self.radio = Radio(radio or RadioConfig(), (seed, episode))
        self.referee = Referee(task, task.obstacles(seed, episode))
        self.crash = CrashWatch(self.drone.note)
        self.frame_number = 0
        """Of the last pose published, 0 before the first."""
        self._bridge = PoseBridge(guarded)
        self._strikes: list[Strike] = []
        self._agenda: list[tuple[float, int, Action]] = []
        self._tick = 0
        self._published: list[Frame] = []
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
            self.radio.deliver(self.time)
            self.drone.step()
            self._tick += 1
            self._judge()
            self._publish()
            self._keep_appointments()

    def take_frames(self) -> list[Frame]:
        """Frames published since the last call, in the order of their arrival, of other bodies too."""
        frames, self._published = self._published, []
        return frames

    def take_poses(self) -> list[PoseSample]:
        """The robot's own poses published since the last call."""
        return [frame for frame in self.take_frames() if not frame.body]

    def strike(self, strike: Strike) -> None:
        """Bring a fault about: now, or as long after the policy takes over as it says."""
        if strike.after < 0.0:
            apply(strike, self, self.time)
        else:
            self._strikes.append(strike)

    def at(self, t: float, action: Action) -> None:
        """Do something when the time is t [s]; at once where that is past."""
        if t <= self.time:
            action()
        else:
            heapq.heappush(self._agenda, (t, len(self._agenda), action))

    def begin_policy(self, steps: int | None = None) -> None:
        """The policy takes over now, for `steps` steps of the task."""
        self.referee.begin(self.time, self.truth, steps)
        for strike in self._strikes:
            apply(strike, self, self.time + strike.after)
        self._strikes = []

    def end_policy(self, reason: str | None = None) -> None:
        """The policy hands over now."""
        self.referee.end(reason)

    def result(self) -> EpisodeResult:
        """The referee's verdict."""
        return self.referee.result()

    def _judge(self) -> None:
        truth = self.drone.truth
        self.crash.observe(truth)
        if self.referee.active:
            self.referee.observe(self.time, truth)

    def _keep_appointments(self) -> None:
        while self._agenda and self._agenda[0][0] <= self.time:
            heapq.heappop(self._agenda)[2]()

    def _publish(self) -> None:
        if self._tick % CAPTURE_EVERY == 0:
            self.mocap.capture(self.time, self.drone.truth)
        for frame in self.mocap.due(self.time):
            if not frame.body and self._bridge.passes(frame, self.time):
                self.drone.external_pose(frame.position, frame.quaternion)
            self.frame_number = frame.frame_number
            self._published.append(frame)


def warm_up(task: Task) -> None:
    """Compile every kernel that a flight needs, so that a real-time one need not wait for it."""
    world = World(task)
    world.begin_policy(steps=1)
    world.drone.full_state_setpoint(world.start, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
    world.advance(0.1)
