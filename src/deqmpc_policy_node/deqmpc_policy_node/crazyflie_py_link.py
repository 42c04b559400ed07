"""The robot through crazyflie_py's class Crazyflie, by its public methods only.

The class drops the futures of its service calls: nobody learns of a refusal. The landing is repeated until
the robot descends, so that is borne; who wants refusals reported takes the link `topics`.
"""

import importlib
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.node import Node

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import (
    Arm,
    Command,
    Emergency,
    GoTo,
    Land,
    NotifySetpointsStop,
    SendSetpoint,
    Setpoint,
    Takeoff,
)
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.topics import robot_name

MODULE = "crazyflie_py.crazyflie"
NEEDED = (
    "emergency",
    "takeoff",
    "land",
    "go_to",
    "upload_trajectory",
    "start_trajectory",
    "notify_setpoints_stop",
)
"""What the class waits for without a limit before it lets itself be made."""
SERVER = ("/crazyflie_server/set_parameters", "/crazyflie_server/get_parameters")
REMAIN_VALID_MS = 100


class CrazyfliePyLink:
    """Offers what RobotLink offers. Real time only: the class stamps setpoints with its node's clock."""

    def __init__(
        self,
        node: Node,
        spinner: Spinner,
        robot: str,
        order_time: float,
        refused: Callable[[Command, str], None],
        make: Callable[[], Any],
    ) -> None:
        """order_time [s]: pause after a command so that the next one arrives later; make: see maker()."""
        self._node, self._spinner, self._robot = node, spinner, robot
        self._order_time, self._refused, self._make = order_time, refused, make
        self._crazyflie: Any = None

    def missing(self) -> list[str]:
        """Services nobody offers."""
        wanted = [robot_name(self._robot, name) for name in NEEDED] + list(SERVER)
        return [name for name in wanted if not self._node.count_services(name)]

    def stream(self, setpoint: Setpoint, t: float) -> None:
        """Send a setpoint now; the class stamps it."""
        del t
        self._ready().cmdFullState(
            _floats(setpoint.position),
            _floats(setpoint.velocity),
            _floats(setpoint.acceleration),
            float(setpoint.yaw),
            [0.0, 0.0, 0.0],
        )

    def call(self, command: Command) -> None:
        """Send a command; Land follows NotifySetpointsStop at once, others after a pause."""
        if self._crazyflie is None and self.missing():
            self._refused(command, f"nobody offers {self.missing()[0]}")
            return
        self._carry_out(command)
        if not isinstance(command, NotifySetpointsStop):
            self._spinner.until(lambda: False, self._order_time)

    def cut(self) -> None:
        """Send the emergency stop now, without waiting for anything."""
        if self._crazyflie is not None or not self.missing():
            self._ready().emergency()
        else:
            self._refused(Emergency(), f"nobody offers {self.missing()[0]}")

    def check(self) -> None:
        """The class drops answers: there is nothing to look at."""

    def _carry_out(self, command: Command) -> None:
        cf = self._ready()
        match command:
            case Arm():
                cf.arm(True)
            case Takeoff(height, duration):
                cf.takeoff(float(height), float(duration))
            case GoTo(goal, yaw, duration):
                cf.goTo(_floats(goal), float(yaw), float(duration))
            case NotifySetpointsStop():
                cf.notifySetpointsStop(REMAIN_VALID_MS)
            case Land(height, duration):
                cf.land(float(height), float(duration))
            case Emergency():
                cf.emergency()
            case SendSetpoint(setpoint):
                self.stream(setpoint, 0.0)

    def _ready(self) -> Any:
        if self._crazyflie is None:
            self._crazyflie = self._make()
        return self._crazyflie


def maker(robot: str) -> Callable[[], Any]:
    """A function that makes the Crazyflie of that name, on a node of its own: the class spins its node while
    it is made, which must not be done to ours. Raises ConfigError now when crazyflie_py is not installed."""
    try:
        module = importlib.import_module(MODULE)
    except ImportError as error:
        raise ConfigError(
            f"link 'crazyflie_py' needs Crazyswarm2's package crazyflie_py ({error}); install "
            "ros-jazzy-crazyflie-py, or set the commander's parameter link to topics"
        ) from error
    return lambda: module.Crazyflie(rclpy.create_node("deqmpc_crazyflie_py"), robot, {})


def _floats(values: Any) -> list[float]:
    return [float(value) for value in values]
