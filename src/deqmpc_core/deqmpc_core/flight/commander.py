"""The commander: the only writer of the robot's commands. A deterministic state machine; time is passed
in."""

import math
from collections.abc import Callable

import numpy as np

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.commands import Arm, Command, GoTo, NotifySetpointsStop, SendSetpoint, Takeoff
from deqmpc_core.flight.configuration import FLYING, CommanderConfig, FlightPhase, FlightRequest
from deqmpc_core.flight.estimator import Estimate, EstimatorConfig, PoseSample, StateEstimator
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.landing import Landing
from deqmpc_core.flight.policy_stream import PolicyStream
from deqmpc_core.flight.trajectory import PlanPacket

TIME_TOLERANCE = 1e-6


class Commander:
    """Take-off, go to the start, stream the plan, land. Times are seconds of one clock, the one that stamps
    poses and plans.

    At a tick t: feed poses; if wants_plan(t), ask for a plan (in lock-step wait for the one stamped t and
    feed it); call tick(t) and carry out its commands in order; then look at wants_plan(t) once more, for
    the tick that enters POLICY wants its plan afterwards. No setpoint is streamed before the first plan:
    the robot hovers at the start by itself.
    """

    def __init__(
        self, config: CommanderConfig | None = None, estimator: EstimatorConfig | None = None
    ) -> None:
        self.config = config or CommanderConfig()
        self._estimator = StateEstimator(estimator)
        self._pose_arrival = -math.inf
        self._act: dict[FlightPhase, Callable[[float], list[Command]]] = {
            FlightPhase.IDLE: self._idle,
            FlightPhase.TAKEOFF: self._takeoff,
            FlightPhase.GOTO: self._goto,
            FlightPhase.POLICY: self._policy,
            FlightPhase.LANDING: self._landing,
        }
        self.reset()

    def reset(self) -> None:
        """Forget the flight, a latched fault included; poses seen stay."""
        self._phase, self._reason = FlightPhase.IDLE, ""
        self._request: FlightRequest | None = None
        self._asked: float | None = None
        self._ready_since: float | None = None
        self._stop: str | None = None
        self._leg_end = 0.0
        self._settled_since: float | None = None
        self._stream: PolicyStream | None = None
        self._descent: Landing | None = None

    @property
    def phase(self) -> FlightPhase:
        """Where the flight stands."""
        return self._phase

    @property
    def reason(self) -> str:
        """Why the flight ended or was given up, in words; empty while nothing is out of the ordinary."""
        return self._reason

    @property
    def done(self) -> bool:
        """The flight is over: landed or given up."""
        return self._phase in (FlightPhase.LANDED, FlightPhase.FAULT)

    @property
    def goal(self) -> Array | None:
        """The requested start (3,) world [m]."""
        return None if self._request is None else self._request.start

    @property
    def plan(self) -> PlanPacket | None:
        """The plan being flown, or flown last; None before the first (then the policy must start cold)."""
        return None if self._stream is None else self._stream.plan

    @property
    def policy_began(self) -> float | None:
        """The tick that entered POLICY [s]."""
        return None if self._stream is None else self._stream.began

    def estimate(self, t: float) -> Estimate | None:
        """The commander's own state estimate at t [s]."""
        return self._estimator.estimate(t)

    def on_pose(self, sample: PoseSample, arrival_time: float) -> bool:
        """Take a pose; a refused one (False) counts as not received."""
        taken = self._estimator.update(sample)
        if taken:
            self._pose_arrival = arrival_time
        return taken

    def on_plan(self, packet: PlanPacket, arrival_time: float) -> bool:
        """Take a plan; False means ignored: not in POLICY, unusable, or not newer than the one flown."""
        if self._phase is not FlightPhase.POLICY or self._stream is None:
            return False
        return self._stream.on_plan(packet, arrival_time)

    def on_service_failure(self, command: Command, why: str, t: float) -> None:
        """The robot refused a command at t [s]: on the ground give up, in flight land, while landing
        repeat."""
        sentence = f"the robot refused {type(command).__name__}: {why}"
        if isinstance(command, Arm | Takeoff) and self._phase is FlightPhase.TAKEOFF:
            self._give_up(sentence)
        elif self._phase is FlightPhase.LANDING and self._descent is not None:
            self._descent.retry(t, notify=isinstance(command, NotifySetpointsStop))
        else:
            self.stop(sentence)

    def start(self, request: FlightRequest) -> None:
        """Ask for a flight; it begins with the first tick that has a fresh pose. Raises ConfigError when it
        cannot."""
        if self._phase not in (FlightPhase.IDLE, FlightPhase.LANDED):
            raise ConfigError(f"cannot start a flight ({self._phase.value}): stop or reset first")
        request.check()
        self.reset()
        self._request = request

    def stop(self, reason: str) -> None:
        """End the flight with the next tick: land, or forget a request that has not taken off."""
        if self._phase in FLYING:
            self._stop = self._stop or reason
        elif self._phase is FlightPhase.IDLE:
            self.reset()
            self._reason = reason

    def wants_plan(self, t: float) -> bool:
        """True when a plan for the current policy period is due at t [s] and has not come; the entry tick
        included."""
        return self._phase is FlightPhase.POLICY and self._stream is not None and self._stream.wants_plan(t)

    def tick(self, t: float) -> list[Command]:
        """Decide at t [s]; the commands are to be carried out at once and in order."""
        if self._phase in FLYING:
            reason = self._stop or self._late_pose(t)
            if reason:
                return self._land(t, reason)
        return self._act[self._phase](t) if self._phase in self._act else []

    def _idle(self, t: float) -> list[Command]:
        if self._request is None:
            return []
        self._asked = t if self._asked is None else self._asked
        if self._late_pose(t):
            self._ready_since = None
        elif self._ready_since is None:
            self._ready_since = t
        if self._ready_since is not None:
            return self._rise(t) if t - self._ready_since >= self.config.ready_time - TIME_TOLERANCE else []
        if t - self._asked > self.config.first_pose_timeout:
            waited = f"no usable pose within {self.config.first_pose_timeout:.1f} s of the request"
            self._give_up(f"{waited}: is motion capture on and the name of the body right?")
        return []

    def _rise(self, t: float) -> list[Command]:
        c = self.config
        self._phase, self._leg_end = FlightPhase.TAKEOFF, t + c.takeoff_duration
        return [Arm(), Takeoff(c.takeoff_height, c.takeoff_duration)]

    def _takeoff(self, t: float) -> list[Command]:
        height, target = self._seen(t).position[2], self.config.takeoff_height
        if t >= self._leg_end - TIME_TOLERANCE and abs(height - target) < self.config.takeoff_tolerance:
            return self._leave(t)
        if t > self._leg_end + self.config.takeoff_limit:
            return self._land(t, f"take-off did not reach {target:.2f} m: the robot is at {height:.2f} m")
        return []

    def _leave(self, t: float) -> list[Command]:
        """Go to the start from where the robot is."""
        goal = np.array(self._flight().start, dtype=float)
        distance = float(np.linalg.norm(goal - self._seen(t).position))
        duration = max(self.config.goto_duration, distance / self.config.goto_speed)
        self._phase, self._leg_end = FlightPhase.GOTO, t + duration
        return [GoTo(goal, 0.0, duration)]

    def _goto(self, t: float) -> list[Command]:
        if t < self._leg_end - TIME_TOLERANCE:
            return []
        c, seen, request = self.config, self._seen(t), self._flight()
        distance, speed = np.linalg.norm(seen.position - request.start), np.linalg.norm(seen.velocity)
        if distance > c.settle_distance or speed > c.settle_speed:
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = t
        if self._settled_since is not None and t - self._settled_since >= c.settle_time - TIME_TOLERANCE:
            self._phase, self._stream = FlightPhase.POLICY, PolicyStream(c, request, t)
        elif t > self._leg_end + c.settle_limit:
            where = f"{distance:.2f} m away at {speed:.2f} m/s"
            return self._land(
                t, f"the robot did not settle at the start within {c.settle_limit:.1f} s: {where}"
            )
        return []

    def _policy(self, t: float) -> list[Command]:
        if self._stream is None:
            raise RuntimeError("POLICY without a stream")
        over = self._stream.over(t)
        if over:
            return self._land(t, over)
        setpoint = self._stream.setpoint(t)
        return [] if setpoint is None else [SendSetpoint(setpoint)]

    def _landing(self, t: float) -> list[Command]:
        if self._descent is None:
            raise RuntimeError("LANDING without a descent")
        commands = self._descent.tick(t, None if self._late_pose(t) else self._estimator.estimate(t))
        if self._descent.landed(t):
            self._phase = FlightPhase.LANDED
            return []
        if self._descent.overdue(t):
            self._give_up(f"{self._reason}; no landing was seen within {self.config.land_limit:.1f} s")
            return []
        return commands

    def _land(self, t: float, reason: str) -> list[Command]:
        """Hand over to the robot's own landing; from here on no setpoint is sent."""
        streamed = self._stream is not None and self._stream.streamed
        self._phase, self._reason = FlightPhase.LANDING, reason
        self._descent = Landing(self.config, t, self._estimator.estimate(t), streamed)
        return self._landing(t)

    def _give_up(self, reason: str) -> None:
        self._phase, self._reason = FlightPhase.FAULT, reason

    def _flight(self) -> FlightRequest:
        if self._request is None:
            raise RuntimeError(f"{self._phase.name} without a request")
        return self._request

    def _seen(self, t: float) -> Estimate:
        seen = self._estimator.estimate(t)
        if seen is None:
            raise RuntimeError(f"{self._phase.name} without a pose")
        return seen

    def _late_pose(self, t: float) -> str | None:
        age, limit = max(self._estimator.age(t), t - self._pose_arrival), self.config.pose_timeout
        if age <= limit + TIME_TOLERANCE:
            return None
        return f"no usable pose for {age:.2f} s (limit {limit:.2f} s): is motion capture on, the body seen?"
