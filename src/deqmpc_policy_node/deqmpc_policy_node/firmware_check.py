"""The robot's firmware set up as the stack expects, through Crazyswarm2's server.

Looking is not enough: the C++ server declares <robot>.params.* without values and writes those of
crazyflies.yaml to the robot without telling its own parameters, so that they read as unset, or as they were
when it connected. A parameter that is set goes to the robot, with the C++ server and with cflib's.
"""

from collections.abc import Mapping
from typing import Any

from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import Parameter

from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.topics import robot_name

CONTROLLER, MASS = "stabilizer.controller", "ctrlMel.mass"
MELLINGER = 2
SET, GET = "/crazyflie_server/set_parameters", "/crazyflie_server/get_parameters"
MODES = ("skip", "warn", "require")
"""Not "off": YAML would make that a bool."""
TOLERANCE = 1e-4
"""Relative: a server may keep a float32."""


def wanted(mass: float) -> dict[str, int | float]:
    """What is set, of the types that the firmware's table of contents has; mass [kg], 0 for no change."""
    return {CONTROLLER: MELLINGER, MASS: float(mass)} if mass > 0.0 else {CONTROLLER: MELLINGER}


def set_up_firmware(node: Node, spinner: Spinner, robot: str, mass: float, timeout: float) -> list[str]:
    """Set wanted() on the server and read it back: what went wrong, each with the remedy.

    timeout [s] is for each of: the robot's services to be there (then its radio is connected), the answer to
    setting, the answer to reading. Waits with the spinner, so call it where nothing else is due; its signal
    ends it early. The server's word is taken: neither server waits for the robot's acknowledgement.
    """
    values = wanted(mass)
    names = {f"{robot}.params.{name}": value for name, value in values.items()}
    clients = [node.create_client(SetParameters, SET), node.create_client(GetParameters, GET)]
    sign = robot_name(robot, "emergency")
    try:
        ready = lambda: all(c.service_is_ready() for c in clients) and node.count_services(sign) > 0  # noqa: E731
        if not spinner.until(ready, timeout):
            absent = [str(c.srv_name) for c in clients if not c.service_is_ready()] or [sign]
            return [f"nobody offers {absent[0]} within {timeout:.1f} s: is Crazyswarm2's server running?"]
        messages = [Parameter(name, value=value).to_parameter_msg() for name, value in names.items()]
        return _set(clients[0], spinner, messages, timeout) or _read(clients[1], spinner, names, timeout)
    finally:
        for client in clients:
            node.destroy_client(client)


def _set(client: Any, spinner: Spinner, messages: list[ParameterMessage], timeout: float) -> list[str]:
    answer = _answer(client, spinner, SetParameters.Request(parameters=messages), timeout)
    if answer is None:
        return [f"{SET} did not answer within {timeout:.1f} s: is the server connected to the robot?"]
    return refusals([message.name for message in messages], answer.results)


def _read(client: Any, spinner: Spinner, names: Mapping[str, float], timeout: float) -> list[str]:
    answer = _answer(client, spinner, GetParameters.Request(names=list(names)), timeout)
    if answer is None:
        return [f"{GET} did not answer within {timeout:.1f} s: is the server connected to the robot?"]
    return differences(names, answer.values)


def _answer(client: Any, spinner: Spinner, request: Any, timeout: float) -> Any:
    future = client.call_async(request)
    if spinner.until(future.done, timeout):
        return future.result()
    future.cancel()
    return None


def refusals(names: list[str], results: list[Any]) -> list[str]:
    """Which of the names the server would not set, in words; results are SetParametersResult."""
    if len(results) != len(names):
        return [f"{SET} answered {len(results)} results to {len(names)} parameters: is it Crazyswarm2's?"]
    return [
        f"{name} cannot be set ({result.reason or 'the server gives no reason'}): is the robot of that name "
        "enabled in crazyflies.yaml, and its firmware of 2023.10 or newer?"
        for name, result in zip(names, results, strict=True)
        if not result.successful
    ]


def differences(names: Mapping[str, float], values: list[ParameterValue]) -> list[str]:
    """Which of the names do not read as they were set, in words. A server answers an empty list when one of
    them has no value."""
    read = [_number(value) for value in values] + [None] * (len(names) - len(values))
    return [
        f"{name} was set to {value:g} and reads {'nothing' if has is None else f'{has:g}'}: does another "
        "program set it? restart Crazyswarm2's server"
        for (name, value), has in zip(names.items(), read, strict=False)
        if has is None or abs(has - value) > TOLERANCE * value
    ]


def _number(value: ParameterValue) -> float | None:
    if value.type == ParameterType.PARAMETER_INTEGER:
        return float(value.integer_value)
    return float(value.double_value) if value.type == ParameterType.PARAMETER_DOUBLE else None
