"""The commander's commands as calls of Crazyswarm2's services."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from crazyflie_interfaces.srv import Arm as ArmService
from crazyflie_interfaces.srv import GoTo as GoToService
from crazyflie_interfaces.srv import Land as LandService
from crazyflie_interfaces.srv import NotifySetpointsStop as NotifyService
from crazyflie_interfaces.srv import Takeoff as TakeoffService
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future
from std_srvs.srv import Empty

from deqmpc_core.flight import Arm, Command, Emergency, GoTo, Land, NotifySetpointsStop, Takeoff
from deqmpc_policy_node.convert import duration, point
from deqmpc_policy_node.topics import robot_name


@dataclass(frozen=True)
class _Call:
    service: str
    kind: Any
    request: Callable[[Any], Any]


def _height(kind: Any) -> Callable[[Any], Any]:
    return lambda command: kind.Request(height=float(command.height), duration=duration(command.duration))


def _go_to(command: GoTo) -> GoToService.Request:
    return GoToService.Request(
        goal=point(command.goal), yaw=float(command.yaw), duration=duration(command.duration)
    )


_CALLS: dict[type, _Call] = {
    Arm: _Call("arm", ArmService, lambda _: ArmService.Request(arm=True)),
    Takeoff: _Call("takeoff", TakeoffService, _height(TakeoffService)),
    Land: _Call("land", LandService, _height(LandService)),
    GoTo: _Call("go_to", GoToService, _go_to),
    Emergency: _Call("emergency", Empty, lambda _: Empty.Request()),
    NotifySetpointsStop: _Call("notify_setpoints_stop", NotifyService, lambda _: NotifyService.Request()),
}


def service_of(command: Command) -> str:
    """Name of the command's service below the robot's. Raises KeyError for a setpoint, which has none."""
    return _CALLS[type(command)].service


class RobotServices:
    """Clients of one robot's services, or of those for some kinds of commands."""

    def __init__(self, node: Node, robot: str, kinds: Iterable[type] = tuple(_CALLS)) -> None:
        self._clients: dict[type, Client] = {
            kind: node.create_client(_CALLS[kind].kind, robot_name(robot, _CALLS[kind].service))
            for kind in kinds
        }

    def missing(self) -> list[str]:
        """Names of the services nobody offers."""
        return [str(client.srv_name) for client in self._clients.values() if not client.service_is_ready()]

    def ready(self, command: Command) -> bool:
        """True when somebody offers the command's service."""
        return self._clients[type(command)].service_is_ready()

    def call(self, command: Command) -> Future:
        """Send the request; the future holds the response."""
        return self._clients[type(command)].call_async(_CALLS[type(command)].request(command))
