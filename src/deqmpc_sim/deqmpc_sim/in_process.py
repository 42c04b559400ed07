"""A whole flight in one process: simulated outside, commander and pilot in the event order of the lock-step
nodes.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import (
    Arm,
    Command,
    Commander,
    CommanderConfig,
    Emergency,
    Estimate,
    EstimatorConfig,
    FlightPhase,
    FlightRequest,
    GoTo,
    Land,
    NotifySetpointsStop,
    PlanPacket,
    SendSetpoint,
    StateEstimator,
    Takeoff,
)
from deqmpc_core.flight.frames import Array, quaternion_from_yaw, yaw_from_quaternion
from deqmpc_core.flight.latency import LatencyCompensation
from deqmpc_core.flight.pilot import Pilot, PilotConfig, TickTimes
from deqmpc_core.tasks import Task
from deqmpc_sim.firmware import SimulatedCrazyflie, TruthConfig
from deqmpc_sim.referee import EpisodeResult
from deqmpc_sim.world import World


@dataclass
class FlightLog:
    """What happened, one row a commander tick: time [s], true position (3,), velocity (3,), attitude xyzw
    (4,) and body rate (3,), the estimate, the setpoint position or NaN; one entry a policy tick in plans and
    times.
    """

    time: list[float] = field(default_factory=list)
    position: list[Array] = field(default_factory=list)
    velocity: list[Array] = field(default_factory=list)
    quaternion: list[Array] = field(default_factory=list)
    omega: list[Array] = field(default_factory=list)
    estimate: list[Estimate | None] = field(default_factory=list)
    phase: list[FlightPhase] = field(default_factory=list)
    setpoint: list[Array] = field(default_factory=list)
    plan_position: list[Array] = field(default_factory=list)
    times: list[TickTimes] = field(default_factory=list)
    bias: list[Array] = field(default_factory=list)


@dataclass(frozen=True)
class Flight:
    """A finished flight. phases: (time [s], phase, reason) of every change; reason: why it ended; events:
    what the firmware did, in words; tracking_error: rms distance [m] of the true position to the plan being
    flown.
    """

    result: EpisodeResult
    phases: list[tuple[float, FlightPhase, str]]
    reason: str
    events: list[tuple[float, str]]
    tracking_error: float
    log: FlightLog

    def tick_ms(self, share: float) -> float:
        """Quantile of the policy's tick times [ms]; NaN without a tick."""
        return (
            float(np.quantile([t.total for t in self.log.times], share)) if self.log.times else float("nan")
        )


def fly_episode(
    task: Task,
    policy: Any,
    truth: TruthConfig | None = None,
    seed: int = 0,
    episode: int = 0,
    commander: CommanderConfig | None = None,
    pilot: PilotConfig | None = None,
    estimator: EstimatorConfig | None = None,
    world: World | None = None,
    steps: int | None = None,
    land: bool = True,
    time_limit: float = 120.0,
    rate: float = 0.0,
    compute: float = 0.0,
    compensate: str = "pose_age",
    watch: Callable[["Cockpit"], None] | None = None,
) -> Flight:
    """Take off, go to the episode's start, let the policy fly `steps` periods (the task's number by default),
    land.

    rate: plans a second, 0: one a period of the task. compute [s]: how long a plan takes from its tick to the
    commander; compensate: what the pilot predicts the state over (flight.latency.MODES).
    world: a prepared one (with faults) instead of World(task, truth, seed, episode). land=False ends with the
    policy's flight. time_limit [s] bounds the whole. watch: called after each period of the commander; may
    change what flies, and ends the flight by raising.
    """
    cockpit = Cockpit(
        world or World(task, truth, seed, episode),
        Commander(commander, estimator),
        Pilot(policy, task, pilot),
        StateEstimator(estimator),
        task.episode_steps if steps is None else steps,
        task.dt,
        _Timing(1.0 / rate if rate else task.dt, compute, compensate),
    )
    while not cockpit.finished(land) and cockpit.world.time < time_limit:
        cockpit.step()
        if watch is not None:
            watch(cockpit)
    return cockpit.flight()


@dataclass(frozen=True)
class _Timing:
    """period [s] between plans; compute [s] until one arrives; compensate as in fly_episode."""

    period: float
    compute: float
    compensate: str


class Cockpit:
    """One flight under way: step() is one period of the commander. `world` and `pilot` may be looked at, and
    changed, between two steps."""

    def __init__(
        self,
        world: World,
        commander: Commander,
        pilot: Pilot,
        estimator: StateEstimator,
        steps: int,
        period: float,
        timing: _Timing,
    ) -> None:
        self.world, self.pilot = world, pilot
        self._commander, self._estimator = commander, estimator
        self._steps, self._ticks, self._rate = steps, 0, round(commander.config.rate)
        if 500 % self._rate or self._rate != commander.config.rate:
            raise ConfigError(f"rate must divide the simulation's 500 Hz, got {commander.config.rate} Hz")
        self._phases: list[tuple[float, FlightPhase, str]] = []
        self._log = FlightLog()
        self._timing, self._coming = timing, deque[tuple[float, PlanPacket]]()
        self._latency = LatencyCompensation(timing.compensate, timing.period)
        if timing.compensate == "pose_age_and_compute":
            self._latency.expected = timing.compute
        plans = round(steps * period / timing.period)
        commander.start(FlightRequest(world.start, plans, timing.period))

    @property
    def phase(self) -> tuple[FlightPhase, str]:
        """The commander's phase, and why it was entered."""
        return self._commander.phase, self._commander.reason

    @property
    def packet(self) -> PlanPacket | None:
        """The plan that is flown."""
        return self._commander.plan

    def finished(self, land: bool) -> bool:
        """The flight is over, or at least the policy's part where no landing is asked for."""
        phase = self._commander.phase
        return self._commander.done or (not land and phase is FlightPhase.LANDING)

    def step(self) -> None:
        """Poses, plan, tick, commands, and only then time."""
        t, commander, before = self._ticks / self._rate, self._commander, self._commander.phase
        for sample in self.world.take_poses():
            commander.on_pose(sample, t)
            self._estimator.update(sample)
        self._plan_if_wanted(t)
        commands = commander.tick(t)
        for command in commands:
            send_command(self.world, command)
        self._follow_phase(t, before)
        self._plan_if_wanted(t)
        self._record(t, commands)
        self._ticks += 1
        self.world.advance(self._ticks / self._rate)

    def flight(self) -> Flight:
        """The finished flight."""
        events = [(event.time, event.sentence) for event in self.world.drone.events]
        result, reason = self.world.result(), self._commander.reason
        return Flight(result, self._phases, reason, events, _tracking_error(self._log), self._log)

    def _plan_if_wanted(self, t: float) -> None:
        while self._coming and t >= self._coming[0][0] - 1e-9:
            self._commander.on_plan(self._coming.popleft()[1], t)
        estimate = self._latency.look(self._estimator, t)
        if estimate is None or self._coming or not self._commander.wants_plan(t):
            return
        if self._commander.plan is None:
            self.pilot.reset()
        packet = self.pilot.tick(estimate, estimate.stamp)
        if self._timing.compute:
            self._coming.append((t + self._timing.compute, packet))
        else:
            self._commander.on_plan(packet, t)
        self._log.times.append(self.pilot.times)
        self._log.bias.append(self.pilot.bias)

    def _follow_phase(self, t: float, before: FlightPhase) -> None:
        phase = self._commander.phase
        if phase is before:
            return
        self._phases.append((t, phase, self._commander.reason))
        if phase is FlightPhase.POLICY:
            self.world.begin_policy(self._steps)
        elif before is FlightPhase.POLICY:
            self.world.end_policy(self._commander.reason)

    def _record(self, t: float, commands: list[Command]) -> None:
        log, truth, nowhere = self._log, self.world.truth, np.full(3, np.nan)
        sent = [c.setpoint.position for c in commands if isinstance(c, SendSetpoint)]
        plan = self._commander.plan if self._commander.phase is FlightPhase.POLICY else None
        log.time.append(t)
        log.position.append(truth.position)
        log.velocity.append(truth.velocity)
        log.quaternion.append(truth.quaternion)
        log.omega.append(truth.omega)
        log.estimate.append(self._estimator.estimate(t))
        log.phase.append(self._commander.phase)
        log.setpoint.append(sent[0] if sent else nowhere)
        log.plan_position.append(nowhere if plan is None else plan.sample(t).position)


def send_command(world: World, command: Command) -> None:
    """Send one command over the world's radio."""
    send = world.radio.setpoint if isinstance(command, SendSetpoint) else world.radio.command
    send(world.time, lambda: apply_command(world.drone, command))


def apply_command(drone: SimulatedCrazyflie, command: Command) -> None:
    """Give one command to the simulated robot, with the precision of the messages.

    Heights and GoTo's yaw travel as float32, durations in nanoseconds, the yaw of a setpoint as a
    quaternion. As on the real server a refusal stays unanswered; it shows in the drone's events.
    """
    match command:
        case Arm():
            drone.arm(True)
        case Takeoff(height, duration):
            drone.takeoff(float(np.float32(height)), round(duration, 9))
        case GoTo(goal, yaw, duration):
            drone.go_to(goal, float(np.float32(yaw)), round(duration, 9))
        case NotifySetpointsStop():
            drone.notify_setpoints_stop()
        case Land(height, duration):
            drone.land(float(np.float32(height)), round(duration, 9))
        case Emergency():
            drone.emergency()
        case SendSetpoint(setpoint):
            yaw = float(yaw_from_quaternion(quaternion_from_yaw(setpoint.yaw)))
            drone.full_state_setpoint(setpoint.position, setpoint.velocity, setpoint.acceleration, yaw)


def _tracking_error(log: FlightLog) -> float:
    """Root mean square distance [m] to the plan while one is flown; NaN without."""
    if not log.time:
        return float("nan")
    distance = np.linalg.norm(np.array(log.position) - np.array(log.plan_position), axis=1)
    flown = distance[np.isfinite(distance)]
    return float(np.sqrt(np.mean(flown**2))) if len(flown) else float("nan")
