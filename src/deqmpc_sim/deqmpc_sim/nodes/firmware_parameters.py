"""Firmware parameters as Crazyswarm2's server offers them: parameter <robot>.params.<group>.<name> of
/crazyflie_server."""

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from deqmpc_sim.firmware import SimulatedCrazyflie
from deqmpc_sim.nodes.graph import ALL

MELLINGER = 2
CONTROLLER, MASS, GROUP_MASK = "stabilizer.controller", "ctrlMel.mass", "hlCommander.groupmask"
PARAMETERS: dict[str, tuple[Any, str]] = {
    CONTROLLER: (MELLINGER, "2 is Mellinger, the only one simulated; any other is only remembered"),
    "stabilizer.estimator": (2, "2 is the Kalman filter, the only one simulated; any other is remembered"),
    "commander.enHighLevel": (1, "without effect, as in the firmware since 2023"),
    MASS: (0.032, "what the Mellinger controller believes [kg]"),
    GROUP_MASK: (0, "groups of the robot, a bit each; commands with another mask than 0 go to those alone"),
    "locSrv.extPosStdDev": (1e-3, "believed noise of poses [m]; only remembered"),
    "locSrv.extQuatStdDev": (0.05, "believed noise of attitudes [rad]; only remembered"),
}


class FirmwareParameters:
    """Declares them for the robot and for `all`; setting one writes the drone of the moment."""

    def __init__(self, node: Node, robot: str, mass: float, drone: Callable[[], SimulatedCrazyflie]) -> None:
        """mass: ctrlMel.mass at the start [kg], unless a parameter file says otherwise."""
        self._node, self._robot, self._drone = node, robot, drone
        for prefix in (robot, ALL):
            for name, (value, help) in PARAMETERS.items():
                descriptor = ParameterDescriptor(description=help)
                start = mass if name == MASS else value
                node.declare_parameter(f"{prefix}.params.{name}", start, descriptor)
        node.add_post_set_parameters_callback(self._written)

    def value(self, name: str) -> Any:
        """What the robot has."""
        return self._node.get_parameter(f"{self._robot}.params.{name}").value

    def write(self) -> None:
        """A robot has been switched on: give it its parameters."""
        self._drone().set_controller_mass(float(self.value(MASS)))
        if int(self.value(CONTROLLER)) != MELLINGER:
            self._node.get_logger().warning(
                f"{CONTROLLER} is {self.value(CONTROLLER)}; the simulated robot flies Mellinger all the same"
            )

    def is_addressed(self, mask: int) -> bool:
        """Whether a command with this group mask is for the robot."""
        return mask == 0 or bool(mask & int(self.value(GROUP_MASK)))

    def _written(self, parameters: list[Parameter]) -> None:
        broadcast = f"{ALL}.params."
        for parameter in parameters:
            if parameter.name.startswith(broadcast):
                name = f"{self._robot}.params.{parameter.name.removeprefix(broadcast)}"
                self._node.set_parameters([Parameter(name, value=parameter.value)])
            elif parameter.name.startswith(f"{self._robot}.params."):
                self.write()
