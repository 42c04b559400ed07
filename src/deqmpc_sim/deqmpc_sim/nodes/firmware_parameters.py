"""Firmware parameters as Crazyswarm2's C++ server offers them: parameter <robot>.params.<group>.<name> of
/crazyflie_server, declared with its type and without a value (query_all_values_on_connect: false). What
crazyflies.yaml says goes to the robot and not into the parameter; a parameter that is set goes to the robot.
"""

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
    """Declares them for the robot and for `all`; setting one writes the drone of the moment. Those of the
    robot stay as they are when `all` is set, as on the real server."""

    def __init__(self, node: Node, robot: str, mass: float, drone: Callable[[], SimulatedCrazyflie]) -> None:
        """mass: ctrlMel.mass at the start [kg], unless a parameter file says otherwise."""
        self._node, self._robot, self._drone = node, robot, drone
        self._values = {name: value for name, (value, _) in PARAMETERS.items()} | {MASS: mass}
        for prefix in (ALL, robot):
            for name, (value, help) in PARAMETERS.items():
                kind = Parameter.Type.from_parameter_value(value)
                full = f"{prefix}.params.{name}"
                given = node.declare_parameter(full, kind, ParameterDescriptor(description=help)).value
                self._values[name] = self._values[name] if given is None else given
        node.add_post_set_parameters_callback(self._written)

    def value(self, name: str) -> Any:
        """What the robot has."""
        return self._values[name]

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
        for parameter in parameters:
            prefix, _, name = parameter.name.partition(".params.")
            if prefix in (ALL, self._robot) and name in self._values:
                self._values[name] = parameter.value
                self.write()
