"""Node `deqmpc_commander`: the only writer of the robot's commands. No torch here: a dead policy must not
take it along."""

import sys
import time
from collections import deque
from dataclasses import dataclass

from deqmpc_interfaces.msg import Step, StepDone
from deqmpc_interfaces.srv import StartFlight
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer
from std_srvs.srv import Trigger

from deqmpc_core.errors import ConfigError, TransitionError
from deqmpc_core.flight import (
    Command,
    Commander,
    CommanderConfig,
    FlightPhase,
    FlightRequest,
    PoseSample,
    SendSetpoint,
)
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase, nanoseconds, stamp_of
from deqmpc_policy_node.convert import array
from deqmpc_policy_node.flight_state import StateAnnouncer
from deqmpc_policy_node.lifecycle import run_managed
from deqmpc_policy_node.lock_step import StepGate
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.plan_link import PlanLink
from deqmpc_policy_node.pose_sources import PoseFrame, PoseSourceParameters, PoseSubscription
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.qos import LATCHED
from deqmpc_policy_node.robot import Patience, RobotLink

EXIT_TIME = 1.0
LAND_GRACE = 3.0
"""s past the commander's own limit of a landing that deactivate waits, e.g. for simulated time."""

ORDER_TIME = 0.05
ON_GROUND = (FlightPhase.IDLE, FlightPhase.LANDED)


@dataclass(frozen=True)
class CommanderParameters:
    """Parameters of `deqmpc_commander` beside those of CommanderConfig."""

    robot: str = option("cf1", "name of the robot on Crazyswarm2's server")
    body: str = option("", "name of the rigid body in motion capture; empty: the robot's name")
    step_timeout: float = option(
        4.0, "lock-step: s of wall time to wait for a plan or an answer; below the simulator's", (0.1, 600.0)
    )
    service_timeout: float = option(1.0, "s until an unanswered command counts as refused", (0.05, 10.0))


class CommanderNode:
    """Feeds deqmpc_core.flight.Commander and carries out what it decides."""

    def __init__(
        self, node: Node, spinner: Spinner, parameters: CommanderParameters, config: CommanderConfig
    ) -> None:
        self.node, self._spinner, self._config = node, spinner, config
        self._body = parameters.body or parameters.robot
        self._lock_step = bool(node.get_parameter("use_sim_time").value)
        self._base = TimeBase(self._lock_step)
        self._commander = Commander(config)
        self._gate = StepGate()
        self._poses: deque[tuple[PoseSample, float]] = deque()
        self._request: FlightRequest | None = None
        self._timer: Timer | None = None
        self._due = self._active = False
        self._t = 0.0
        self._states = StateAnnouncer(node, self._base, self._body)
        self._plans = PlanLink(node, spinner, self._base, self._lock_step, parameters.step_timeout)
        patience = Patience(ORDER_TIME, 0.0, parameters.service_timeout)
        if self._lock_step:
            patience = Patience(*3 * (parameters.step_timeout,))
        self._robot = RobotLink(node, spinner, parameters.robot, self._base, patience, self._on_refusal)
        self._connect()

    def _connect(self) -> None:
        node = self.node
        source = declare(node, PoseSourceParameters)
        self._mocap = PoseSubscription(node, source, self._base, self._lock_step, self._on_frame)
        node.create_service(StartFlight, topics.START_SERVICE, self._on_start)
        node.create_service(Trigger, topics.STOP_SERVICE, self._on_stop)
        if self._lock_step:
            self._step_done = node.create_publisher(StepDone, topics.STEP_DONE, LATCHED)
            node.create_subscription(Step, topics.STEP, self._on_step, LATCHED)

    def activate(self) -> None:
        """Arm the timer; flights are accepted from here on. Raises ConfigError where a check objects."""
        for objection in preflight(self):
            raise ConfigError(objection)
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
        """Nothing but entities of the node to let go of."""

    def _on_frame(self, frame: PoseFrame) -> None:
        sample = frame.sample(self._body)
        if sample is None:
            self._states.saw_others(frame.names)
        if self._lock_step:
            self._gate.on_frame(frame.frame_number, sample)
        elif sample is not None:
            self._poses.append((sample, self._base.now()))

    def _on_step(self, message: Step) -> None:
        self._gate.on_step(nanoseconds(message.stamp), message.frame_number)

    def _on_timer(self) -> None:
        self._due = True

    def _on_refusal(self, command: Command, why: str) -> None:
        self.node.get_logger().error(f"{type(command).__name__}: {why}")
        self._commander.on_service_failure(command, why, self._t)

    def _on_start(self, request: StartFlight.Request, response: StartFlight.Response) -> StartFlight.Response:
        flight = FlightRequest(array(request.start), int(request.policy_steps), float(request.policy_period))
        response.message = self._objection(flight)
        response.accepted = not response.message
        if response.accepted:
            self._request = flight
        return response

    def _objection(self, flight: FlightRequest) -> str:
        """Why a flight cannot start now and what to do about it, or nothing."""
        try:
            flight.check()
        except ConfigError as error:
            return str(error)
        if not self._active:
            return f"the commander is not active; ros2 lifecycle set /{topics.COMMANDER_NODE} activate"
        if not self._lock_step and self._commander.phase not in ON_GROUND:
            return f"cannot start ({self._commander.phase.value}); call {topics.STOP_SERVICE} first"
        missing = self._robot.missing()
        if missing:
            return f"nobody offers {missing[0]}; start Crazyswarm2's server or the simulator for this robot"
        if not self._mocap.senders:
            return f"nobody publishes {self._mocap.topic}; start the motion capture driver"
        if not self._plans.listeners:
            return f"nobody listens on {topics.PLAN_REQUEST}; start the policy node"
        return ""

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        self._request = None
        response.success = True
        if self._commander.phase is FlightPhase.FAULT:
            self._commander.reset()
            response.message = "fault acknowledged"
        else:
            self._commander.stop("stopped by the operator")
            response.message = f"was: {self._commander.phase.value}"
        return response

    def decide(self) -> None:
        """One tick when one is due: the steady timer's, or in lock-step the step whose frames are all in."""
        if self._lock_step:
            self._decide_step()
        elif self._due:
            self._due = False
            while self._poses:
                self._commander.on_pose(*self._poses.popleft())
            self._tick(self._base.now())

    def _decide_step(self) -> None:
        """The first step of an episode waits until a flight is asked for."""
        ready = self._gate.complete()
        if ready is None or (ready.first and self._request is None):
            return
        step, frames = self._gate.take()
        if step.first:
            self._commander = Commander(self._config)
            self._states.renew()
        for sample in frames:
            self._commander.on_pose(sample, step.t)
        sent = self._tick(step.t)
        phase, done = self._commander.phase.name, self._commander.done
        self._step_done.publish(
            StepDone(stamp=stamp_of(step.stamp), setpoint_sent=sent, phase=phase, done=done)
        )

    def _tick(self, t: float) -> bool:
        """Decide at t [s] and act; True when a setpoint went out."""
        self._t = t
        self._begin_flight()
        self._robot.check()
        self._plans.provide(self._commander, t)
        sent = False
        for command in self._commander.tick(t):
            if isinstance(command, SendSetpoint):
                self._robot.stream(command.setpoint, t)
                sent = True
            else:
                self._robot.call(command)
        self._plans.provide(self._commander, t)
        self._states.announce(self._commander, t)
        return sent

    def _begin_flight(self) -> None:
        """A flight starts with a fresh commander: what it saw of the robot before may be from elsewhere."""
        if self._request is None or self._commander.phase not in ON_GROUND:
            return
        if not self._lock_step:
            self._commander = Commander(self._config)
        self._commander.start(self._request)
        self._plans.begin_flight()
        self._request = None

    def close(self) -> None:
        """A commander that is told to exit lands first, as far as a second allows; the robot then lands on
        its own."""
        self._commander.stop("the commander was told to exit")
        if not self._lock_step:
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


def preflight(commander: CommanderNode) -> list[str]:
    """Why the robot must not be flown as it is configured; a sentence each, what to do about it included."""
    del commander
    return []


def _build(node: Node, spinner: Spinner) -> CommanderNode:
    return CommanderNode(node, spinner, declare(node, CommanderParameters), declare(node, CommanderConfig))


def main() -> None:
    """Entry point of the executable `commander`."""
    sys.exit(run_managed(topics.COMMANDER_NODE, _build, PARAMETERS))


if __name__ == "__main__":
    main()
