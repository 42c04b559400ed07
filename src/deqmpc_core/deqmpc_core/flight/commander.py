"""The commander: the only writer of the robot's commands. A deterministic state machine; time is passed
in."""

from collections.abc import Callable

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.aftermath import Aftermath
from deqmpc_core.flight.approach import Approach, Leg
from deqmpc_core.flight.commands import Arm, Command, Emergency, NotifySetpointsStop, SendSetpoint, Takeoff
from deqmpc_core.flight.configuration import FLYING, CommanderConfig, FlightPhase, FlightRequest
from deqmpc_core.flight.estimator import Estimate, EstimatorConfig, PoseSample
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.given import given
from deqmpc_core.flight.landing import Landing
from deqmpc_core.flight.obstacle_set import NOTHING, ObstacleSet
from deqmpc_core.flight.own_pose import OwnPose
from deqmpc_core.flight.policy_stream import PolicyStream
from deqmpc_core.flight.pose_intake import PoseIntake
from deqmpc_core.flight.readiness import Readiness
from deqmpc_core.flight.trajectory import PlanPacket
from deqmpc_core.flight.watch import Deadman, RobotStatus, RobotWatch


class Commander:
    """Take-off, go to the start, stream the plan, land. Times are seconds of one clock, the one that stamps
    poses and plans.

    At a tick t: feed poses; if wants_plan(t), ask for a plan (in lock-step wait for the one stamped t and
    feed it); call tick(t) and carry out its commands in order; then look at wants_plan(t) once more, for
    the tick that enters POLICY wants its plan afterwards. Until the first plan has come the setpoint is
    a hover at the start.
    """

    def __init__(
        self, config: CommanderConfig | None = None, estimator: EstimatorConfig | None = None
    ) -> None:
        self.config = config or CommanderConfig()
        self.fence = Fence(self.config)
        self.robot, self.deadman = RobotWatch(self.config), Deadman(self.config)
        self.own = OwnPose(self.config)
        self._poses = PoseIntake(self.config, estimator)
        self._spheres, self.obstacles_known = NOTHING, False
        self._act: dict[FlightPhase, Callable[[float], list[Command]]] = {
            FlightPhase.IDLE: self._idle,
            FlightPhase.TAKEOFF: self._takeoff,
            FlightPhase.GOTO: self._goto,
            FlightPhase.POLICY: self._policy,
            FlightPhase.LANDING: self._landing,
            FlightPhase.FAULT: self._fault,
        }
        self.renew()

    def renew(self) -> None:
        """Forget the flight and the poses, which may be of another place; robot's status, operator and
        obstacles stay."""
        self._poses.reset()
        self.own.forget()
        self.reset()

    def rewind(self, t: float) -> None:
        """Time begins anew at t [s], with another robot: only operator and obstacles stay."""
        self.robot.forget()
        self.deadman.rewind(t)
        self.renew()

    def reset(self) -> None:
        """Forget the flight, a latched fault included; poses seen stay."""
        self._phase, self._reason = FlightPhase.IDLE, ""
        self._request: FlightRequest | None = None
        self._readiness = Readiness(self.config)
        self._stop: str | None = None
        self._aftermath = Aftermath()
        self._approach: Approach | None = None
        self._stream: PolicyStream | None = None
        self._descent: Landing | None = None

    @property
    def phase(self) -> FlightPhase:
        """Where the flight stands."""
        return self._phase

    @property
    def reason(self) -> str:
        """Why the flight ended, was given up or holds, in words; empty while all is ordinary."""
        return self._reason or self.holding

    @property
    def holding(self) -> str:
        """Why the policy's plan is held instead of flown on, in words; empty while it is not."""
        return self._stream.holding if self._stream and self._phase is FlightPhase.POLICY else ""

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
        """The commander's state estimate at t [s]."""
        return self._poses.estimate(t)

    @property
    def pose_delay(self) -> float:
        """How late poses come at best [s]."""
        return self._poses.delay

    def pose_late(self, t: float) -> str:
        """That the newest usable pose is too old to fly at t [s], in words; empty while it is not."""
        return self._poses.late(t)

    def on_pose(self, sample: PoseSample, arrival_time: float) -> bool:
        """Take a pose; a refused one (False) counts as not received."""
        return self._poses.on_pose(sample, arrival_time)

    def on_plan(self, packet: PlanPacket, arrival_time: float) -> bool:
        """Take a plan; False: ignored, for it is not POLICY or the plan is unusable, bad or old."""
        if self._phase is not FlightPhase.POLICY or self._stream is None:
            return False
        seen, captured = self._poses.fresh(arrival_time), self._poses.frames.latest(packet.frame_number)
        place = None if seen is None else seen.position
        return self._stream.book.offer(packet, arrival_time, place, captured)

    def on_status(self, status: RobotStatus, t: float) -> None:
        """Take what the robot says of itself."""
        self.robot.on_status(status, t)

    def on_deadman(self, held: bool, t: float) -> None:
        """Take the state of the operator's switch."""
        self.deadman.on_message(held, t)

    def set_obstacles(self, spheres: ObstacleSet) -> None:
        """Spheres that plans are watched against from now on."""
        self._spheres, self.obstacles_known = spheres, True
        if self._stream is not None:
            self._stream.book.obstacles = spheres

    def emergency(self, reason: str) -> list[Command]:
        """Cut the motors whatever the phase: the commands to carry out at once. The fault is latched."""
        self._phase, self._reason = FlightPhase.FAULT, f"emergency stop: {reason}"
        return self._aftermath.cut.ask()

    def abandon(self, t: float, reason: str) -> list[Command]:
        """Leave a flight at t [s] without another look at anything: the commands to carry out at once."""
        return self._land(t, reason) if self._phase in FLYING else []

    def on_answer(self, command: Command) -> None:
        """The robot's server has taken a command."""
        if isinstance(command, Emergency):
            self._aftermath.cut.answered = True

    def on_service_failure(self, command: Command, why: str, t: float, unanswered: bool = False) -> None:
        """A command was refused at t [s], or is unanswered and may be carried out yet. A refused take-off
        is given up, any other flight lands, a landing is repeated."""
        sentence = f"the robot refused {type(command).__name__}: {why}"
        if isinstance(command, Emergency):
            self._aftermath.cut.failed(t)
        elif isinstance(command, Arm | Takeoff) and self._phase is FlightPhase.TAKEOFF:
            if not unanswered:
                return self._give_up(sentence, t)
            self._leg().doubt = f"nobody knows whether the robot took {type(command).__name__}: {why}"
        elif self._descent is not None:
            self._descent.retry(t, notify=isinstance(command, NotifySetpointsStop))
        else:
            self.stop(sentence)

    def start(self, request: FlightRequest) -> None:
        """Ask for a flight; it begins with the first tick that has a fresh pose. Raises ConfigError when it
        cannot."""
        if self._phase not in (FlightPhase.IDLE, FlightPhase.LANDED):
            raise ConfigError(f"cannot start a flight ({self._phase.value}): stop or reset first")
        request.check()
        if not self.fence.inner.holds(request.start):
            raise ConfigError(f"{self.fence.strayed(request.start, 'the start')}: move it or the fence")
        self.reset()
        self._request = request

    def stop(self, reason: str) -> None:
        """End the flight with the next tick: land, or forget a request that has not taken off."""
        if self._phase in FLYING:
            self._stop = self._stop or reason
        elif self._phase is FlightPhase.IDLE:
            self.reset()
            self._reason = reason

    def insist(self) -> str:
        """The operator's stop in FAULT: the next tick sends the emergency stop, if one was asked for, or else
        the landing, once more. What will be, in words."""
        return self._aftermath.insist()

    def acknowledge(self) -> str:
        """The operator's reset: the fault is over, or why it cannot be yet."""
        if self._phase is FlightPhase.FAULT and self._aftermath.cut.unconfirmed and not self.robot.broken():
            return "the emergency stop is still being sent and not answered yet: motors may turn"
        self.reset()
        return ""

    def wants_plan(self, t: float) -> bool:
        """True when a plan for the current policy period is due at t [s] and has not come; the entry tick
        included."""
        return self._phase is FlightPhase.POLICY and self._stream is not None and self._stream.wants_plan(t)

    def tick(self, t: float) -> list[Command]:
        """Decide at t [s]; the commands are to be carried out at once and in order."""
        if self._phase in (*FLYING, FlightPhase.LANDING) and (broken := self.robot.broken()):
            self._give_up(broken, t)
            return self._aftermath.cut.ask(1)
        if self._phase in FLYING and (reason := self._why_land(t)):
            return self._land(t, reason)
        return self._act[self._phase](t) if self._phase in self._act else []

    def _why_land(self, t: float) -> str | None:
        """Reasons to land in every phase of the flight."""
        reason = self._stop or self._poses.late(t) or self.deadman.released(t) or self.robot.weak(t)
        return reason or self.own.astray() or self.fence.left(self._seen(t).position, "the robot")

    def _idle(self, t: float) -> list[Command]:
        if self._request is None:
            return []
        if not self._readiness.at(t, self._poses.late(t)):
            if hopeless := self._readiness.hopeless(t, self._poses.refusal):
                self._give_up(hopeless, t)
            return []
        self._phase = FlightPhase.TAKEOFF
        self._approach = Approach(self.config, self._request.start, t, self._seen(t))
        return self._approach.begin()

    def _takeoff(self, t: float) -> list[Command]:
        return self._after(self._leg().takeoff(t, self._seen(t)), FlightPhase.GOTO, t)

    def _goto(self, t: float) -> list[Command]:
        commands = self._after(self._leg().goto(t, self._seen(t)), FlightPhase.POLICY, t)
        if self._phase is FlightPhase.POLICY:
            request = given(self._request, "POLICY without a request")
            self._stream = PolicyStream(self.config, request, t, self._seen(t), self.fence)
            self._stream.book.obstacles = self._spheres
        return commands

    def _after(self, leg: Leg, phase: FlightPhase, t: float) -> list[Command]:
        if leg.land:
            return self._land(t, leg.land)
        self._phase = phase if leg.done else self._phase
        return leg.commands

    def _policy(self, t: float) -> list[Command]:
        answer = given(self._stream, "POLICY without a stream").tick(t, self._poses.view(t))
        if answer.land:
            return self._land(t, answer.land)
        return [] if answer.setpoint is None else [SendSetpoint(answer.setpoint)]

    def _fault(self, t: float) -> list[Command]:
        return self._aftermath.tick(t, self._poses.fresh(t), self.robot.grounded(t))

    def _landing(self, t: float) -> list[Command]:
        descent = given(self._descent, "LANDING without a descent")
        commands = descent.tick(t, self._poses.fresh(t))
        if descent.landed(t):
            self._phase = FlightPhase.LANDED
            return []
        if descent.overdue(t):
            self._give_up(f"{self._reason}; no landing was seen within {self.config.land_limit:.1f} s", t)
            return []
        return commands

    def _land(self, t: float, reason: str) -> list[Command]:
        """Hand over to the robot's own landing; from here on no setpoint is sent."""
        self._phase, self._reason = FlightPhase.LANDING, reason
        self._descent = self._handed_over(t)
        return self._landing(t)

    def _handed_over(self, t: float) -> Landing:
        streamed = self._stream is not None and self._stream.streamed
        return Landing(self.config, t, self._poses.estimate(t), streamed, self._leg().floor)

    def _give_up(self, reason: str, t: float) -> None:
        """FAULT; a robot that may be up all the same is told to land."""
        self._phase, self._reason = FlightPhase.FAULT, reason
        if self._descent is None and self._approach is not None:
            self._descent = self._handed_over(t)
        self._aftermath.begin(self._descent)

    def _leg(self) -> Approach:
        return given(self._approach, f"{self._phase.name} without a take-off")

    def _seen(self, t: float) -> Estimate:
        return given(self._poses.estimate(t), f"{self._phase.name} without a pose")
