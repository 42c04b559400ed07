"""What the commander is made of: its parameters, its way to the robot, the look at the firmware."""

from dataclasses import dataclass

from rclpy.node import Node

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Emergency
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.crazyflie_py_link import CrazyfliePyLink, maker
from deqmpc_policy_node.firmware_check import MODES, set_up_firmware, wanted
from deqmpc_policy_node.parameters import option
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.robot import Calls, Heard, Link, Patience, RobotLink
from deqmpc_policy_node.services import RobotServices

ORDER_TIME = 0.05
LINKS = ("topics", "crazyflie_py")


@dataclass(frozen=True)
class CommanderParameters:
    """Parameters of `deqmpc_commander` beside those of CommanderConfig."""

    robot: str = option("cf1", "name of the robot on Crazyswarm2's server")
    body: str = option("", "name of the rigid body in motion capture; empty: the robot's name")
    pose_frame: str = option("", "frame_id that poses must have; empty: that of a flight's first pose")
    link: str = option("topics", "way to the robot: topics (and services), or the class crazyflie_py")
    check_firmware: str = option(
        "warn", "set the firmware's parameters at configure and, where the server does not take them, fail "
        "(require) or log it (warn); skip: leave them alone"
    )
    firmware_mass: float = option(
        0.0, "kg the robot weighs, set as ctrlMel.mass; 0: as crazyflies.yaml has it", (0.0, 1.0)
    )
    firmware_timeout: float = option(2.0, "s to wait at configure for every answer of a server", (0.1, 120.0))
    step_timeout: float = option(
        4.0, "lock-step: s of wall time to wait for a plan or an answer; below the simulator's", (0.1, 600.0)
    )
    service_timeout: float = option(1.0, "s until a command counts as unanswered", (0.05, 10.0))

    def __post_init__(self) -> None:
        for name, known in (("link", LINKS), ("check_firmware", MODES)):
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"parameter '{name}' must be one of {', '.join(known)}, got '{getattr(self, name)}'"
                )


def make_link(
    node: Node,
    spinner: Spinner,
    parameters: CommanderParameters,
    base: TimeBase,
    lock_step: bool,
    heard: Heard,
) -> Link:
    """The way to the robot that the parameters ask for. Raises ConfigError where it cannot be had."""
    robot = parameters.robot
    if parameters.link == "topics":
        patience = Patience(ORDER_TIME, 0.0, parameters.service_timeout)
        if lock_step:
            patience = Patience(*3 * (parameters.step_timeout,))
        return RobotLink(node, spinner, robot, base, patience, heard)
    if lock_step:
        raise ConfigError(
            "parameter 'link' crazyflie_py flies in real time only: its setpoints carry a stamp of their "
            "own, and lock-step waits for ours; use topics, or deqmpc sim --speed realtime"
        )
    make, limit = maker(robot), parameters.firmware_timeout
    emergency = Calls(RobotServices(node, robot, [Emergency]), base, parameters.service_timeout, heard)
    return CrazyfliePyLink(node, spinner, robot, ORDER_TIME, emergency, heard, make, limit)


def checked_firmware(node: Node, spinner: Spinner, parameters: CommanderParameters) -> None:
    """Set the firmware's parameters as check_firmware says: not at all, with warnings, or raising ConfigError
    where the server does not take them."""
    p = parameters
    if p.check_firmware == "skip":
        return
    found = set_up_firmware(node, spinner, p.robot, p.firmware_mass, p.firmware_timeout)
    if found and p.check_firmware == "require":
        raise ConfigError(f"{'; '.join(found)} (parameter check_firmware: require)")
    for sentence in found:
        node.get_logger().warning(f"firmware: {sentence}")
    if not found:
        done = ", ".join(f"{name} {value:g}" for name, value in wanted(p.firmware_mass).items())
        node.get_logger().info(f"firmware: set {done}")
