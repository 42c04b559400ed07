"""What the commander is made of: its parameters, its way to the robot, the look at the firmware."""

from collections.abc import Callable
from dataclasses import dataclass

from rclpy.node import Node

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Command
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.crazyflie_py_link import CrazyfliePyLink, maker
from deqmpc_policy_node.firmware_check import MODES, check_firmware
from deqmpc_policy_node.parameters import option
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.robot import Link, Patience, RobotLink

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
        "warn", "what to do when the robot's firmware parameters are not as expected: skip, warn or require"
    )
    firmware_mass: float = option(0.0, "kg the robot weighs, compared with ctrlMel.mass; 0: any", (0.0, 1.0))
    firmware_timeout: float = option(2.0, "s to wait for the server's parameters", (0.1, 30.0))
    step_timeout: float = option(
        4.0, "lock-step: s of wall time to wait for a plan or an answer; below the simulator's", (0.1, 600.0)
    )
    service_timeout: float = option(1.0, "s until an unanswered command counts as refused", (0.05, 10.0))

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
    refused: Callable[[Command, str], None],
) -> Link:
    """The way to the robot that the parameters ask for. Raises ConfigError where it cannot be had."""
    robot = parameters.robot
    if parameters.link == "topics":
        patience = Patience(ORDER_TIME, 0.0, parameters.service_timeout)
        if lock_step:
            patience = Patience(*3 * (parameters.step_timeout,))
        return RobotLink(node, spinner, robot, base, patience, refused)
    if lock_step:
        raise ConfigError(
            "parameter 'link' crazyflie_py flies in real time only: its setpoints carry a stamp of their "
            "own, and lock-step waits for ours; use topics, or deqmpc sim --speed realtime"
        )
    return CrazyfliePyLink(node, spinner, robot, ORDER_TIME, refused, maker(robot))


def checked_firmware(node: Node, spinner: Spinner, parameters: CommanderParameters) -> None:
    """Look at the firmware's parameters as check_firmware says: not at all, with warnings, or raising
    ConfigError."""
    p = parameters
    if p.check_firmware == "skip":
        return
    found = check_firmware(node, spinner, p.robot, p.firmware_mass, p.firmware_timeout)
    if found and p.check_firmware == "require":
        raise ConfigError(f"{'; '.join(found)} (parameter check_firmware: require)")
    for sentence in found:
        node.get_logger().warning(f"firmware: {sentence}")
