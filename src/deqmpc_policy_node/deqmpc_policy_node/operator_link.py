"""The operator's side of the commander: services to start, stop, reset, check and cut, and a deadman."""

from typing import Protocol

from deqmpc_interfaces.srv import StartFlight
from rclpy.node import Node
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger

from deqmpc_core.flight import FlightRequest
from deqmpc_policy_node import topics
from deqmpc_policy_node.inputs import flight_request
from deqmpc_policy_node.qos import COMMAND, LATEST


class Operated(Protocol):
    """What an operator can ask for; the answer is a sentence, empty where there is nothing to say."""

    def ask_flight(self, request: FlightRequest) -> str:
        """Why a flight cannot start now; empty when it will."""
        ...

    def ask_stop(self) -> str:
        """End the flight by landing; in a fault send the emergency stop or the landing once more."""
        ...

    def ask_reset(self) -> tuple[bool, str]:
        """Acknowledge a fault; whether that was possible now, and what it was or why not."""
        ...

    def ask_emergency(self, who: str) -> None:
        """Cut the motors."""
        ...

    def ask_preflight(self) -> tuple[bool, str]:
        """Whether a flight could start now, and the list."""
        ...

    def deadman(self, message: Bool) -> None:
        """The operator's switch."""
        ...


class OperatorLink:
    """Offers the services and listens, from construction on."""

    def __init__(self, node: Node, operated: Operated) -> None:
        self._operated = operated
        node.create_service(StartFlight, topics.START_SERVICE, self._on_start)
        node.create_service(Trigger, topics.STOP_SERVICE, self._on_stop)
        node.create_service(Trigger, topics.RESET_SERVICE, self._on_reset)
        node.create_service(Trigger, topics.PREFLIGHT_SERVICE, self._on_preflight)
        node.create_service(Trigger, topics.EMERGENCY_SERVICE, self._on_emergency)
        node.create_subscription(Bool, topics.DEADMAN, operated.deadman, LATEST)
        node.create_subscription(Empty, topics.EMERGENCY, self._on_emergency_message, COMMAND)

    def _on_start(self, request: StartFlight.Request, response: StartFlight.Response) -> StartFlight.Response:
        response.message = self._operated.ask_flight(flight_request(request))
        response.accepted = not response.message
        return response

    def _on_stop(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        response.success, response.message = True, self._operated.ask_stop()
        return response

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        response.success, response.message = self._operated.ask_reset()
        return response

    def _on_preflight(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        response.success, response.message = self._operated.ask_preflight()
        return response

    def _on_emergency(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        del request
        self._operated.ask_emergency("called by service")
        response.success, response.message = (
            True,
            "motors cut; the robot must be rebooted before it flies again",
        )
        return response

    def _on_emergency_message(self, message: Empty) -> None:
        del message
        self._operated.ask_emergency("called by topic")
