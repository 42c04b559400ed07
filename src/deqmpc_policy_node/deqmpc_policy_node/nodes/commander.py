"""Node `deqmpc_commander`: the only writer of the robot's commands. No torch here: a dead policy must not
take it along."""

import sys
import time
import traceback
from collections import deque

from deqmpc_interfaces.msg import Step, StepDone
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer
from std_msgs.msg import Bool

from deqmpc_core.errors import TransitionError
from deqmpc_core.flight import (
    Command,
    Commander,
    CommanderConfig,
    FlightPhase,
    FlightRequest,
    PoseSample,
    SendSetpoint,
)
from deqmpc_core.flight.preflight import ON_GROUND, Check, objections
from deqmpc_policy_node import topics
from deqmpc_policy_node.checks import Checks
from deqmpc_policy_node.clock import TimeBase, nanoseconds, stamp_of
from deqmpc_policy_node.commander_setup import CommanderParameters, checked_firmware, make_link
from deqmpc_policy_node.flight_state import StateAnnouncer
from deqmpc_policy_node.inputs import Inputs
from deqmpc_policy_node.lifecycle import run_managed
from deqmpc_policy_node.lock_step import StepGate
from deqmpc_policy_node.operator_link import OperatorLink
from deqmpc_policy_node.parameters import declare
from deqmpc_policy_node.plan_link import PlanLink
from deqmpc_policy_node.pose_sources import PoseFrame, PoseSourceParameters, PoseSubscription
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.qos import LATCHED
from deqmpc_policy_node.robot_topics import RobotTopics

EXIT_TIME = 1.0
LAND_GRACE = 3.0
"""s past the commander's own limit of a landing that deactivate waits, e.g. for simulated time."""
MOST_POSES = 1000


class CommanderNode:
    """Feeds deqmpc_core.flight.Commander and carries out what it decides."""

    def __init__(
        self, node: Node, spinner: Spinner, parameters: CommanderParameters, config: CommanderConfig
    ) -> None:
        self.node, self._spinner, self._config, self._parameters = node, spinner, config, parameters
        self._body = parameters.body or parameters.robot
        self._lock_step = bool(node.get_parameter("use_sim_time").value)
        self._base = TimeBase(self._lock_step)
        self._commander = Commander(config)
        source = declare(node, PoseSourceParameters)
        self._inputs = Inputs(self._base, self._body, parameters.pose_frame, source.counted)
        self._gate = StepGate()
        self._poses: deque[tuple[PoseSample, float]] = deque(maxlen=MOST_POSES)
        self._request: FlightRequest | None = None
        self._timer: Timer | None = None
        self._active, self._due, self._t = False, False, 0.0
        self._states = StateAnnouncer(node, self._base, self._body)
        timeout = parameters.step_timeout
        self._plans = PlanLink(node, spinner, self._base, self._inputs, self._lock_step, timeout)
        checked_firmware(node, spinner, parameters)
        self._robot = make_link(node, spinner, parameters, self._base, self._lock_step, self)
        self._connect(source)

    def _connect(self, source: PoseSourceParameters) -> None:
        node = self.node
        mocap = PoseSubscription(node, source, self._base, self._lock_step, self._on_frame)
        self._checks = Checks(
            self._commander, self._robot, mocap, self._plans, self._inputs, self._body, not self._lock_step
        )
        RobotTopics(node, self._parameters.robot, self._inputs, self._commander, self._now)
        OperatorLink(node, self)
        if self._lock_step:
            self._step_done = node.create_publisher(StepDone, topics.STEP_DONE, LATCHED)
            node.create_subscription(Step, topics.STEP, self._on_step, LATCHED)

    def activate(self) -> None:
        """Arm the timer; flights are accepted from here on."""
        self._poses.clear()
        if not self._lock_step:
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = self.node.create_timer(1.0 / self._config.rate, self._on_timer, clock=clock)
        self._active = True

    def deactivate(self) -> None:
        """Land, ticking on until that is done; then cancel the timer. Raises TransitionError, the node still
        active, when no landing is seen in time."""
        self._request, self._active = None, False
        flying = self._flying()
        self._commander.stop("the commander is being deactivated")
        landed = self._wait_for_ground(self._config.land_limit + LAND_GRACE)
        if not landed or (flying and self._commander.phase is FlightPhase.FAULT):
            self._active = True
            raise TransitionError(f"no landing was seen: {self._commander.reason or 'time is up'}")
        if self._timer is not None:
            self.node.destroy_timer(self._timer)
        self._timer = None

    def cleanup(self) -> None:
        """Entities of the node go by themselves; the link may have more."""
        self._robot.close()

    def _on_frame(self, frame: PoseFrame) -> None:
        sample = self._inputs.pose(frame)
        if sample is None:
            self._states.saw_others(self._inputs.in_view)
        if self._lock_step:
            self._gate.on_frame(frame.frame_number, sample)
        elif sample is not None:
            self._poses.append((sample, self._base.now()))

    def deadman(self, message: Bool) -> None:
        """The operator's switch."""
        self._inputs.deadman(self._commander, message, self._now())

    def _on_step(self, message: Step) -> None:
        self._gate.on_step(nanoseconds(message.stamp), message.frame_number)

    def _on_timer(self) -> None:
        self._due = True

    def _now(self) -> float:
        return self._t if self._lock_step else self._base.now()

    def answered(self, command: Command) -> None:
        """A command was taken."""
        self._commander.on_answer(command)

    def failed(self, command: Command, why: str, unanswered: bool) -> None:
        """A command was not taken, or nobody knows."""
        self.node.get_logger().error(f"{type(command).__name__}: {why}")
        self._commander.on_service_failure(command, why, self._t, unanswered)

    def ask_flight(self, request: FlightRequest) -> str:
        """Why a flight cannot start now and what to do about it, or nothing: then it starts."""
        found = objections(self._checklist(request))
        self._request = self._request if found else request
        return found[0] if found else ""

    def ask_preflight(self) -> tuple[bool, str]:
        """Whether a flight could start now, and the list, a line an item."""
        checks = self._checklist(None)
        return not objections(checks), "\n".join(str(check) for check in checks)

    def _checklist(self, request: FlightRequest | None) -> list[Check]:
        return self._checks.items(self._now(), self._active, request)

    def ask_stop(self) -> str:
        """Land, or forget a request; in a fault, which stays, send what ends it once more."""
        self._request = None
        if self._commander.phase is FlightPhase.FAULT:
            return f"{self._commander.insist()}; the fault stays until {topics.RESET_SERVICE}"
        self._commander.stop("stopped by the operator")
        return f"was: {self._commander.phase.value}"

    def ask_reset(self) -> tuple[bool, str]:
        """Acknowledge a fault."""
        self._robot.check()
        phase = self._commander.phase
        if phase is not FlightPhase.FAULT and phase not in ON_GROUND:
            return False, f"cannot reset ({phase.value}); call {topics.STOP_SERVICE} first"
        self._request = None
        if objection := self._commander.acknowledge():
            return False, f"cannot reset: {objection}"
        return True, f"was: {phase.value}"

    def ask_emergency(self, who: str) -> None:
        """Cut the motors now; the fault is latched."""
        self._request = None
        self.node.get_logger().error(f"emergency stop: {who}")
        self._commander.emergency(who)
        self._robot.cut()

    def decide(self) -> None:
        """One tick when one is due: the steady timer's, or in lock-step the step whose frames are all in."""
        if self._lock_step:
            self._decide_step()
        elif self._due:
            self._due = False
            if not self._flying():
                self._base.anchor()
            self._tick(self._base.now())

    def _decide_step(self) -> None:
        """The first step of an episode waits until a flight is asked for."""
        ready = self._gate.complete()
        if ready is None or (ready.first and self._request is None):
            return
        step, frames = self._gate.take()
        if step.first:
            self._commander.rewind(step.t)
            self._states.renew()
        self._poses.extend((sample, step.t) for sample in frames)
        sent = self._tick(step.t)
        stamp, phase, done = stamp_of(step.stamp), self._commander.phase.name, self._commander.done
        self._step_done.publish(StepDone(stamp=stamp, setpoint_sent=sent, phase=phase, done=done))

    def _tick(self, t: float) -> bool:
        """Decide at t [s] and act; True when a setpoint went out. Should anything here fail that nobody
        thought of, the robot lands."""
        self._t = t
        try:
            sent = self._act(t)
        except Exception as error:
            self.node.get_logger().error(f"internal error, landing: {traceback.format_exc()}")
            sent = self._land_now(t, f"internal error: {error!r}")
        self._states.announce(self._commander, t)
        return sent

    def _land_now(self, t: float, reason: str) -> bool:
        """Hand over and land without a look at anything, whatever else fails; the ticks after this one send
        what did not get through again. Never a setpoint: False."""
        try:
            return self._carry_out(self._commander.abandon(t, reason), t)
        except Exception:
            self.node.get_logger().error(f"not all of it was sent: {traceback.format_exc()}")
            return False

    def _act(self, t: float) -> bool:
        while self._poses:
            self._commander.on_pose(*self._poses.popleft())
        self._begin_flight()
        self._robot.check()
        self._plans.provide(self._commander, t)
        sent = self._carry_out(self._commander.tick(t), t)
        self._plans.provide(self._commander, t)
        return sent

    def _carry_out(self, commands: list[Command], t: float) -> bool:
        """True when a setpoint went out. A failure keeps no other command back; a change of phase does."""
        sent, phase, failures = False, self._commander.phase, list[Exception]()
        for command in commands:
            if self._commander.phase is not phase:
                break
            try:
                if isinstance(command, SendSetpoint):
                    self._robot.stream(command.setpoint, t)
                    sent = True
                else:
                    self._robot.call(command)
            except Exception as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return sent

    def _begin_flight(self) -> None:
        """A flight starts with a fresh commander: what it saw of the robot before may be from elsewhere."""
        if self._request is None or self._commander.phase not in ON_GROUND:
            return
        request, self._request = self._request, None
        if not self._lock_step:
            self._commander.renew()
            self._inputs.frames.forget()
        self._commander.start(request)
        self._states.renew()
        self._plans.begin_flight()

    def close(self) -> None:
        """Told to exit, it lands first, as far as a second allows; the robot then goes on by itself."""
        reason = "the commander was told to exit"
        self._commander.stop(reason)
        if not self._lock_step:
            self._land_now(self._now(), reason)
            self._wait_for_ground(EXIT_TIME)

    def _wait_for_ground(self, limit: float) -> bool:
        """Tick on until no flight is under way; False after `limit` [s] of wall time."""
        deadline = time.monotonic() + limit
        while self._flying() and time.monotonic() < deadline:
            self._spinner.once(1.0 / self._config.rate)
            self.decide()
        return not self._flying()

    def _flying(self) -> bool:
        return self._commander.phase is not FlightPhase.IDLE and not self._commander.done


PARAMETERS = (CommanderParameters, CommanderConfig, PoseSourceParameters)


def _build(node: Node, spinner: Spinner) -> CommanderNode:
    return CommanderNode(node, spinner, declare(node, CommanderParameters), declare(node, CommanderConfig))


def main() -> None:
    """Entry point of the executable `commander`."""
    sys.exit(run_managed(topics.COMMANDER_NODE, _build, PARAMETERS))


if __name__ == "__main__":
    main()
