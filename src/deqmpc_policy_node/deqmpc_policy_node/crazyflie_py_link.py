"""The robot through crazyflie_py's class Crazyflie, by its public methods only.

The class drops the futures of its service calls: nobody learns of a refusal. The landing is repeated until
the robot descends, so that is borne; who wants refusals reported takes the link `topics`. The emergency stop
is the exception: it goes through a client of our own, and is sent again until it is answered.
"""

import importlib
import threading
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
    Setpoint,
    Takeoff,
)
from deqmpc_policy_node.firmware_check import GET, SET
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.robot import Calls, Heard
from deqmpc_policy_node.services import service_of
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
    "arm",
)
"""What the class waits for without a limit before it lets itself be made; and arm, which it does not wait
for, and calls all the same."""
REMAIN_VALID_MS = 100


class CrazyfliePyLink:
    """Offers what RobotLink offers. Real time only: the class stamps setpoints with its node's clock."""

    def __init__(
        self,
        node: Node,
        spinner: Spinner,
        robot: str,
        order_time: float,
        emergency: Calls,
        heard: Heard,
        make: Callable[[], Any],
        limit: float,
    ) -> None:
        """order_time [s]: pause after a command so that the next one arrives later; emergency: our own way
        to the service `emergency`; make: see maker(); limit [s]: how long the server may take to offer all
        that the class waits for, and the class to be made. Raises ConfigError when it takes longer."""
        self._node, self._spinner, self._robot = node, spinner, robot
        self._order_time, self._emergency, self._heard = order_time, emergency, heard
        if not spinner.until(lambda: not self.missing(), limit):
            raise ConfigError(
                f"nobody offers {', '.join(self.missing()) or 'a service'} within {limit:.1f} s, which "
                "crazyflie_py waits for: start Crazyswarm2's server with this robot"
            )
        self._crazyflie = made_within(spinner, make, limit)

    def missing(self) -> list[str]:
        """Services nobody offers."""
        wanted = [robot_name(self._robot, name) for name in NEEDED] + [SET, GET]
        return [name for name in wanted if not self._node.count_services(name)]

    def stream(self, setpoint: Setpoint, t: float) -> None:
        """Send a setpoint now; the class stamps it."""
        del t
        self._crazyflie.cmdFullState(
            _floats(setpoint.position),
            _floats(setpoint.velocity),
            _floats(setpoint.acceleration),
            float(setpoint.yaw),
            [0.0, 0.0, 0.0],
        )

    def call(self, command: Command) -> None:
        """Send a command; Land follows NotifySetpointsStop at once, others after a pause."""
        if isinstance(command, Emergency):
            self.cut()
            return
        service = robot_name(self._robot, service_of(command))
        if not self._node.count_services(service):
            self._heard.failed(command, f"nobody offers {service}", unanswered=False)
            return
        self._carry_out(command)
        if not isinstance(command, NotifySetpointsStop):
            self._spinner.until(lambda: False, self._order_time)

    def cut(self) -> None:
        """Send the emergency stop now, without waiting for anything; whether it was taken shows later."""
        self._emergency.send(Emergency())

    def check(self) -> None:
        """Look at the answers to emergency stops; the class drops all others."""
        self._emergency.check()

    def close(self) -> None:
        """The class's node goes."""
        self._crazyflie.node.destroy_node()

    def _carry_out(self, command: Command) -> None:
        cf = self._crazyflie
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

def made_within(spinner: Spinner, make: Callable[[], Any], limit: float) -> Any:
    """What make() makes, on a thread of its own: crazyflie_py asks the server for parameters and waits for
    ever where it does not answer. Raises ConfigError after `limit` [s], or with what make() raised."""
    made: list[Any] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            made.append(make())
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    spinner.until(lambda: not thread.is_alive(), limit)
    if made:
        return made[0]
    why = repr(failed[0]) if failed else f"not done within {limit:.1f} s"
    raise ConfigError(
        f"crazyflie_py's class Crazyflie could not be made ({why}): does Crazyswarm2's server answer "
        f"`ros2 param list /crazyflie_server`, and has the robot an initial_position in crazyflies.yaml?"
    )


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
