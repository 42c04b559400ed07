"""Whether the robot's firmware is set up as the stack expects: asked of Crazyswarm2's server."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from rcl_interfaces.msg import ParameterType, ParameterValue
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node

from deqmpc_policy_node.process import Spinner

CONTROLLER, MASS = "stabilizer.controller", "ctrlMel.mass"
MELLINGER = 2
MASS_TOLERANCE = 0.1
SERVICE = "/crazyflie_server/get_parameters"
MODES = ("skip", "warn", "require")
"""Not "off": YAML would make that a bool."""


def firmware_objections(values: Mapping[str, float], mass: float) -> list[str]:
    """What is wrong with the values by name (NaN or absent: not offered), each with the remedy; mass [kg],
    0 for any."""
    found = []
    controller, believed = values.get(CONTROLLER, math.nan), values.get(MASS, math.nan)
    if controller != MELLINGER:
        has = "is not offered" if math.isnan(controller) else f"is {controller:g}"
        found.append(
            f"{CONTROLLER} {has}, expected {MELLINGER} (Mellinger): set it under firmware_params in "
            "crazyflies.yaml"
        )
    if math.isnan(believed) or believed <= 0.0:
        found.append(f"{MASS} is not offered: set it under firmware_params in crazyflies.yaml")
    elif mass > 0.0 and abs(believed - mass) > MASS_TOLERANCE * mass:
        found.append(
            f"{MASS} is {believed:.4f} kg, the robot weighs {mass:.4f} kg: set it in crazyflies.yaml"
        )
    return found


def check_firmware(node: Node, spinner: Spinner, robot: str, mass: float, timeout: float) -> list[str]:
    """What is wrong with /crazyflie_server's <robot>.params.*, or that it did not answer within timeout [s].

    Waits with the spinner, so call it where nothing else is due. The spinner's signal ends it early.
    """
    names = [CONTROLLER, MASS]
    request = GetParameters.Request(names=[f"{robot}.params.{name}" for name in names])
    client = node.create_client(GetParameters, SERVICE)
    try:
        return _ask(client, spinner, request, timeout, lambda told: _read(names, told, mass))
    finally:
        node.destroy_client(client)


def _ask(
    client: Any, spinner: Spinner, request: Any, timeout: float, read: Callable[[Any], list[str]]
) -> list[str]:
    if not spinner.until(client.service_is_ready, timeout):
        return [f"nobody offers {SERVICE} within {timeout:.1f} s: is Crazyswarm2's server running?"]
    future = client.call_async(request)
    if not spinner.until(future.done, timeout):
        future.cancel()
        return [f"{SERVICE} did not answer within {timeout:.1f} s"]
    answer = future.result()
    return read([] if answer is None else answer.values)


def _read(names: list[str], values: list[ParameterValue], mass: float) -> list[str]:
    told = {name: _number(value) for name, value in zip(names, values, strict=False)}
    return firmware_objections(told, mass)


def _number(value: ParameterValue) -> float:
    if value.type == ParameterType.PARAMETER_INTEGER:
        return float(value.integer_value)
    return float(value.double_value) if value.type == ParameterType.PARAMETER_DOUBLE else math.nan
