"""examples/ros_policy_node.py over real topics."""

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed (make build)")
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402
from std_msgs.msg import Float64MultiArray  # noqa: E402

from deqmpc_core import Observation, load_policy  # noqa: E402

pytestmark = pytest.mark.ros
PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "ros_policy_node.py"
PATIENCE = 20.0  # s, for discovery


@pytest.fixture
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def graph(example: ModuleType, domain: int) -> Iterator[tuple[Any, Any, list[float], Any]]:
    """The node, a publisher of states, the efforts heard, and a function that spins once."""
    rclpy.init(args=[], domain_id=domain)
    node, outside = example.PolicyNode(), rclpy.create_node("outside")
    heard: list[float] = []
    outside.create_subscription(Float64MultiArray, example.EFFORTS, lambda m: heard.extend(m.data), 10)
    states = outside.create_publisher(JointState, example.STATES, 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.add_node(outside)
    yield node, states, heard, lambda: executor.spin_once(0.01)
    executor.shutdown()
    rclpy.try_shutdown()


def test_states_go_in_and_the_policy_s_efforts_come_out(example: ModuleType, graph: Any) -> None:
    node, states, heard, spin = graph
    policy = load_policy(example.POLICY)
    x = torch.tensor([[0.3, -0.2]], dtype=torch.float64)
    wanted, _ = policy(Observation(x), policy.initial_state(1))
    end = time.monotonic() + PATIENCE
    while not heard and time.monotonic() < end:
        states.publish(JointState(name=["other", "theta"], position=[9.0, 0.3], velocity=[9.0, -0.2]))
        spin()
    assert heard and heard[0] == pytest.approx(float(policy.task.limited(wanted.u[0, 0])), abs=1e-6)
    assert abs(heard[0]) <= float(policy.task.u_hi[0])


def test_without_a_state_and_with_an_old_one_no_effort_goes_out(example: ModuleType, graph: Any) -> None:
    node, _, _, _ = graph
    sent: list[Any] = []
    node.efforts = type("Counter", (), {"publish": staticmethod(sent.append)})
    node.tick()
    assert not sent
    node.hear(JointState(name=["theta"], position=[0.3], velocity=[0.0]))
    node.tick()
    assert len(sent) == 1
    node.arrived -= rclpy.duration.Duration(seconds=2 * example.OLDEST)
    node.tick()
    assert len(sent) == 1
