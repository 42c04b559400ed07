"""The server look-alike in one process: units on the wire, groups, firmware parameters, services, /poses."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from crazyflie_interfaces.msg import Hover, Position, VelocityWorld
from crazyflie_interfaces.srv import Land, Takeoff
from deqmpc_interfaces.srv import InjectFault
from motion_capture_tracking_interfaces.msg import NamedPoseArray
from rclpy.context import Context
from rclpy.exceptions import ParameterUninitializedException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Empty

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.tasks import load_task
from deqmpc_policy_node.firmware_check import set_up_firmware
from deqmpc_sim.mocap import Frame
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.faults import FaultQueue
from deqmpc_sim.nodes.firmware_parameters import CONTROLLER, GROUP_MASK, MASS
from deqmpc_sim.nodes.publishers import MocapPublisher
from deqmpc_sim.nodes.server import CrazyflieServer
from deqmpc_sim.world import World

pytestmark = pytest.mark.ros
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


@pytest.fixture
def node(domain: int) -> Iterator[Node]:
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    yield rclpy.create_node("crazyflie_server", context=context)
    context.try_shutdown()


@pytest.fixture
def world() -> World:
    world = World(load_task("crazyflie"), position=(0.0, 0.0, 0.0))
    world.advance(0.3)
    return world


@pytest.fixture
def server(node: Node, world: World) -> CrazyflieServer:
    return CrazyflieServer(node, "cf1", 0.032, world)


def setpoint(world: World) -> np.ndarray:
    return world.drone.setpoint


def handle(server: CrazyflieServer, topic: str, message: Any) -> None:
    """Through the subscription's own callback."""
    node = server._node
    [found] = [s for s in node.subscriptions if s.topic_name == topic]
    found.callback(message)


def call(server: CrazyflieServer, name: str, request: Any) -> Any:
    [found] = [s for s in server._node.services if s.srv_name == name]
    return found.callback(request, found.srv_type.Response())


def test_a_position_turns_in_degrees(server: CrazyflieServer, world: World) -> None:
    handle(server, "/cf1/cmd_position", Position(x=1.0, y=2.0, z=0.5, yaw=90.0))
    assert setpoint(world)[:3] == pytest.approx([1.0, 2.0, 0.5], abs=1e-3)
    assert setpoint(world)[9] == pytest.approx(math.pi / 2)


def test_hover_and_velocity_keep_the_robot_level(server: CrazyflieServer, world: World) -> None:
    handle(server, "/cf1/cmd_hover", Hover(vx=1.0, z_distance=0.7))
    assert setpoint(world)[2] == pytest.approx(0.7, abs=1e-3) and setpoint(world)[13] == 2.0
    handle(server, "/cf1/cmd_velocity_world", VelocityWorld(yaw_rate=float("nan")))
    assert setpoint(world)[2] == pytest.approx(0.7, abs=1e-3), "a packet that is not finite changes nothing"
    handle(server, "/cf1/cmd_velocity_world", VelocityWorld())
    assert setpoint(world)[2] == pytest.approx(world.drone.estimate.position[2], abs=1e-3)


def test_a_command_for_another_group_is_not_for_us(server: CrazyflieServer, world: World) -> None:
    events = world.drone.events
    call(server, "/all/takeoff", Takeoff.Request(group_mask=2, height=0.5))
    assert not events
    server._node.set_parameters([Parameter(f"cf1.params.{GROUP_MASK}", value=6)])
    request = Takeoff.Request(group_mask=2, height=0.5)
    request.duration.sec = 2
    call(server, "/all/takeoff", request)
    assert events[-1].sentence == "takeoff"
    call(server, "/cf1/land", Land.Request(group_mask=1))
    assert events[-1].sentence == "takeoff"


def test_firmware_parameters_are_the_servers(server: CrazyflieServer, world: World) -> None:
    """As with the C++ server: declared with a type, without a value until somebody sets one; `all` writes the
    robots and leaves their parameters."""
    node, mass = server._node, f"cf1.params.{MASS}"
    for name in (mass, f"cf1.params.{CONTROLLER}", f"all.params.{MASS}"):
        with pytest.raises(ParameterUninitializedException):
            node.get_parameter(name)
    [refused] = node.set_parameters([Parameter(mass, value=1)])
    assert not refused.successful and world.drone.controller_mass == 0.032, "integer for a float"
    node.set_parameters([Parameter(mass, value=0.03)])
    assert node.get_parameter(mass).value == 0.03 == world.drone.controller_mass
    node.set_parameters([Parameter(f"all.params.{MASS}", value=0.04)])
    assert node.get_parameter(mass).value == 0.03 and world.drone.controller_mass == 0.04


def test_the_commander_sets_the_firmware_up(server: CrazyflieServer, world: World) -> None:
    """Looking would find nothing: see above. Another robot's name is refused with the server's reason."""
    asker = rclpy.create_node("asker", context=server._node.context)
    executor = SingleThreadedExecutor(context=server._node.context)
    executor.add_node(server._node)
    executor.add_node(asker)
    spinner: Any = Waiting(executor)
    assert set_up_firmware(asker, spinner, "cf1", 0.031, 5.0) == []
    assert world.drone.controller_mass == 0.031
    assert set_up_firmware(asker, spinner, "cf1", 0.0, 5.0) == [] and world.drone.controller_mass == 0.031
    [absent] = set_up_firmware(asker, spinner, "cf9", 0.031, 0.2)
    assert "nobody offers /cf9/emergency within 0.2 s" in absent
    asker.create_service(Empty, "/cf9/emergency", lambda request, response: response)
    found = set_up_firmware(asker, spinner, "cf9", 0.031, 5.0)
    assert len(found) == 2 and all("cannot be set" in sentence for sentence in found)


class Waiting:
    """A spinner over several nodes."""

    def __init__(self, executor: SingleThreadedExecutor) -> None:
        self._executor = executor

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not condition() and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.05)
        return condition()


def test_a_withdrawn_service_comes_back_with_the_next_episode(server: CrazyflieServer) -> None:
    offered = lambda: {s.srv_name for s in server._node.services}  # noqa: E731
    server.withdraw("land")
    assert not {"/cf1/land", "/all/land"} & offered()
    server.begin(World(load_task("crazyflie")))
    assert {"/cf1/land", "/all/land"} <= offered()
    with pytest.raises(UnknownNameError, match="lend"):
        server.withdraw("lend")


def test_faults_are_checked_at_once_and_strike_later(server: CrazyflieServer, world: World) -> None:
    queue = FaultQueue(server._node)
    answer = queue._on_inject(InjectFault.Request(kind="mocap_loud"), InjectFault.Response())
    assert not answer.success and "mocap_loud" in answer.message
    request = InjectFault.Request(kind="radio_loss", after=-1.0, value=1.0)
    assert queue._on_inject(request, InjectFault.Response()).success and world.radio.loss == 0.0
    queue.release(world, server)
    assert world.radio.loss == 1.0
    handle(server, "/cf1/cmd_position", Position(x=1.0))
    assert world.radio.lost["setpoint"] == 1 and setpoint(world)[0] == 0.0


def test_named_poses_offer_the_deadline_the_server_asks_for(node: Node) -> None:
    publisher = MocapPublisher(node, "cf1", "map", named=True)
    [offer] = node.get_publishers_info_by_topic(graph.NAMED_POSES)
    assert offer.qos_profile.deadline.nanoseconds <= 10_000_000
    heard: list[Any] = []
    node.create_subscription(NamedPoseArray, graph.NAMED_POSES, heard.append, graph.NAMED)
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    frame = Frame(0.0, 1, np.array([1.0, 2.0, 3.0]), LEVEL)
    for _ in range(50):
        publisher.publish(frame, graph.stamp_of(5))
        executor.spin_once(timeout_sec=0.05)
        if heard:
            break
    assert heard[0].poses[0].name == "cf1" and heard[0].poses[0].pose.position.z == 3.0
