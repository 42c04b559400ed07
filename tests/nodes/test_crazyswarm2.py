"""What Crazyswarm2's crazyflie_py waits for and asks before it lets a script fly is there."""

import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from deqmpc_core.tasks import load_task
from tests.nodes.sim import environment

pytestmark = pytest.mark.ros
COMMON = {
    "emergency": "std_srvs/srv/Empty",
    "takeoff": "crazyflie_interfaces/srv/Takeoff",
    "land": "crazyflie_interfaces/srv/Land",
    "go_to": "crazyflie_interfaces/srv/GoTo",
    "start_trajectory": "crazyflie_interfaces/srv/StartTrajectory",
}
OWN = {
    **COMMON,
    "upload_trajectory": "crazyflie_interfaces/srv/UploadTrajectory",
    "notify_setpoints_stop": "crazyflie_interfaces/srv/NotifySetpointsStop",
}
WANTED = {f"/all/{name}": kind for name, kind in COMMON.items()} | {
    f"/cf7/{name}": kind for name, kind in OWN.items()
}


@pytest.fixture
def script(domain: int) -> Iterator[Node]:
    """A node beside a simulator of the robot cf7."""
    line = [sys.executable, "-m", "deqmpc_sim.nodes.simulator", "--ros-args", "-p", "robot:=cf7"]
    simulator = subprocess.Popen(line, env={**environment(), "ROS_DOMAIN_ID": str(domain)})
    context = Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    yield rclpy.create_node("script", context=context)
    context.try_shutdown()
    simulator.terminate()
    simulator.wait(timeout=60)


def _offered(node: Node) -> dict[str, str]:
    deadline, found = time.monotonic() + 120.0, {}
    while not WANTED.items() <= found.items() and time.monotonic() < deadline:
        time.sleep(0.1)
        found = {name: kinds[0] for name, kinds in node.get_service_names_and_types()}
    return found


def test_crazyflie_py_finds_what_it_waits_for(script: Node) -> None:
    assert WANTED.items() <= _offered(script).items()
    client = script.create_client(GetParameters, "/crazyflie_server/get_parameters")
    assert client.wait_for_service(timeout_sec=60.0)
    names = ["robots.cf7.initial_position", "robots.cf7.uri"]
    future = client.call_async(GetParameters.Request(names=names))
    executor = SingleThreadedExecutor(context=script.context)
    executor.add_node(script)
    executor.spin_until_future_complete(future, timeout_sec=60.0)
    answer = future.result()
    assert answer is not None
    place, uri = answer.values
    start = load_task("crazyflie").start(0, 0)[:2]
    assert np.allclose(place.double_array_value[:2], start)
    assert int(uri.string_value[-2:], 16) == 0xE7
