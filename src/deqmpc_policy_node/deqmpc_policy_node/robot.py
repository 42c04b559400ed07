"""The robot as the commander reaches it: a setpoint topic and services that may stay silent."""

from collections.abc import Callable
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
    NotifySetpointsStop (motors are off until Land comes), and before a command counts as refused."""

    next_command: float
    hand_over: float
    answer: float


@dataclass
class _Pending:
    command: Command
    future: Future
    deadline: float


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
        """Report commands that were not carried out."""
        ...


class RobotLink:
    """Sends setpoints and commands in order, and reports commands that were not carried out."""

    def __init__(
        self,
        node: Node,
        spinner: Spinner,
        robot: str,
        base: TimeBase,
        patience: Patience,
        refused: Callable[[Command, str], None],
    ) -> None:
        self._spinner, self._base, self._patience, self._refused = spinner, base, patience, refused
        self._setpoints = node.create_publisher(FullState, robot_name(robot, "cmd_full_state"), COMMAND)
        self._services = RobotServices(node, robot)
        self._pending: list[_Pending] = []

    def missing(self) -> list[str]:
        """Services nobody offers."""
        return self._services.missing()

    def stream(self, setpoint: Setpoint, t: float) -> None:
        """Publish a setpoint stamped t [s]."""
        self._setpoints.publish(full_state(setpoint, self._base, t))

    def call(self, command: Command) -> None:
        """Send a command; the next one waits a little for its answer so that they arrive in order."""
        if not self._services.ready(command):
            self._refused(command, "nobody offers the service")
            return
        pending = self._note(command)
        hand_over = isinstance(command, NotifySetpointsStop)
        self._spinner.until(
            pending.future.done, self._patience.hand_over if hand_over else self._patience.next_command
        )
        self.check()

    def cut(self) -> None:
        """Send the emergency stop now, without waiting for anything; whether it was taken shows later."""
        if not self._services.ready(Emergency()):
            self._refused(Emergency(), "nobody offers the service")
            return
        self._note(Emergency())

    def _note(self, command: Command) -> _Pending:
        pending = _Pending(command, self._services.call(command), self._base.now() + self._patience.answer)
        self._pending.append(pending)
        return pending

    def check(self) -> None:
        """Look at the answers that are due."""
        waiting = [p for p in self._pending if not p.future.done()]
        for pending in self._pending:
            if pending.future.done():
                self._inspect(pending)
            elif self._base.now() > pending.deadline:
                waiting.remove(pending)
                pending.future.cancel()
                self._refused(pending.command, f"no answer within {self._patience.answer:.1f} s")
        self._pending = waiting

    def _inspect(self, pending: _Pending) -> None:
        error: Any = pending.future.exception()
        if error is not None:
            self._refused(pending.command, str(error))
