"""The robot as the commander reaches it: a setpoint topic and services that may stay silent."""

from dataclasses import dataclass
from typing import Any, Protocol

from crazyflie_interfaces.msg import FullState
from rclpy.node import Node
from rclpy.task import Future

from deqmpc_core.flight import Command, Emergency, NotifySetpointsStop, Setpoint
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import full_state
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.qos import COMMAND
from deqmpc_policy_node.services import RobotServices
from deqmpc_policy_node.topics import robot_name


@dataclass(frozen=True)
class Patience:
    """How long to wait for a service [s]: before the next command of the tick goes out, the same after
    NotifySetpointsStop (motors are off until Land comes), and before a command counts as unanswered."""

    next_command: float
    hand_over: float
    answer: float


class Heard(Protocol):
    """What became of commands."""

    def answered(self, command: Command) -> None:
        """The server took it."""
        ...

    def failed(self, command: Command, why: str, unanswered: bool) -> None:
        """It was refused or could not be sent; or it is unanswered, and may be carried out all the same."""
        ...


@dataclass
class _Pending:
    command: Command
    future: Future
    deadline: float


class Calls:
    """Service calls under way; tells once of each what became of it."""

    def __init__(self, services: RobotServices, base: TimeBase, patience: float, heard: Heard) -> None:
        """patience [s]: how long an answer may take."""
        self._services, self._base, self._patience, self._heard = services, base, patience, heard
        self._pending: list[_Pending] = []

    def send(self, command: Command) -> Future | None:
        """Call its service; None where nobody offers it, which is told at once."""
        if not self._services.ready(command):
            self._heard.failed(command, "nobody offers the service", unanswered=False)
            return None
        future = self._services.call(command)
        self._pending.append(_Pending(command, future, self._base.now() + self._patience))
        return future

    def check(self) -> None:
        """Look at the answers that are due."""
        pending, self._pending = self._pending, []
        for call in pending:
            if call.future.done():
                self._tell(call)
            elif self._base.now() > call.deadline:
                call.future.cancel()
                self._heard.failed(call.command, f"no answer within {self._patience:.1f} s", unanswered=True)
            else:
                self._pending.append(call)

    def _tell(self, call: _Pending) -> None:
        error: Any = call.future.exception()
        if error is None:
            self._heard.answered(call.command)
        else:
            self._heard.failed(call.command, str(error), unanswered=False)


class Link(Protocol):
    """A way to the robot."""

    def missing(self) -> list[str]:
        """Services nobody offers."""
        ...

    def stream(self, setpoint: Setpoint, t: float) -> None:
        """Send a setpoint stamped t [s]."""
        ...

    def call(self, command: Command) -> None:
        """Send a command."""
        ...

    def cut(self) -> None:
        """Send the emergency stop now, without waiting for anything."""
        ...

    def check(self) -> None:
        """Report what became of commands."""
        ...

    def close(self) -> None:
        """Let go of what is not an entity of the node."""
        ...


class RobotLink:
    """Sends setpoints and commands in order, and reports what became of commands."""

    def __init__(
        self,
        node: Node,
        spinner: Spinner,
        robot: str,
        base: TimeBase,
        patience: Patience,
        heard: Heard,
    ) -> None:
        self._spinner, self._base, self._patience = spinner, base, patience
        self._setpoints = node.create_publisher(FullState, robot_name(robot, "cmd_full_state"), COMMAND)
        self._services = RobotServices(node, robot)
        self._calls = Calls(self._services, base, patience.answer, heard)

    def missing(self) -> list[str]:
        """Services nobody offers."""
        return self._services.missing()

    def stream(self, setpoint: Setpoint, t: float) -> None:
        """Publish a setpoint stamped t [s]."""
        self._setpoints.publish(full_state(setpoint, self._base, t))

    def call(self, command: Command) -> None:
        """Send a command; the next one waits a little for its answer so that they arrive in order."""
        future = self._calls.send(command)
        if future is None:
            return
        hand_over = isinstance(command, NotifySetpointsStop)
        patience = self._patience.hand_over if hand_over else self._patience.next_command
        self._spinner.until(future.done, patience)
        self.check()

    def cut(self) -> None:
        """Send the emergency stop now, without waiting for anything; whether it was taken shows later."""
        self._calls.send(Emergency())

    def check(self) -> None:
        """Look at the answers that are due."""
        self._calls.check()

    def close(self) -> None:
        """Nothing but entities of the node."""
