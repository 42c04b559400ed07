"""Another robot than the drone over real topics: simulator and policy node, each in a thread of its own, do
in lock-step what a flight without ROS does."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64MultiArray

from deqmpc_core import load_policy
from deqmpc_core.tasks import load_task
from deqmpc_policy_node.nodes.policy import _build
from deqmpc_policy_node.plant_node import PlantNode
from deqmpc_policy_node.process import Interrupt
from deqmpc_policy_node.process import Spinner as PolicySpinner
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.nodes.graph import CONTROL, Spinner
from deqmpc_sim.nodes.parameters import SimulatorParameters
from deqmpc_sim.nodes.plant_clocks import PlantLockStep
from deqmpc_sim.nodes.plant_simulator import PlantSimulator
from deqmpc_sim.plant_flight import fly_plant

pytestmark = pytest.mark.ros
STEPS, SEED = 15, 1
TASK = load_task("cartpole")


@pytest.fixture
def graph(domain: int) -> Iterator[None]:
    rclpy.init(args=[], domain_id=domain)
    yield
    rclpy.try_shutdown()


class Policy(threading.Thread):
    """The policy node, spun as its process spins it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        values = {"use_sim_time": True, "policy": "goal-mpc", "task": TASK.name}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = Node("deqmpc_policy", parameter_overrides=overrides)
        self.spinner = PolicySpinner(self.node, Interrupt())
        behaviour = _build(self.node, self.spinner)
        assert isinstance(behaviour, PlantNode)
        self.behaviour = behaviour

    def run(self) -> None:
        self.behaviour.activate()
        while not self.spinner.interrupt.requested:
            self.spinner.once(0.02)
            self.behaviour.decide()


def flown(simulator: PlantSimulator, clock: PlantLockStep) -> None:
    """One episode."""
    clock.advance()
    while simulator.running:
        clock.advance()


def test_a_cart_pole_flies_over_topics_as_without_them(graph: None) -> None:
    parameters = SimulatorParameters(task=TASK.name, seed=SEED, speed="max", policy_steps=STEPS)
    node, policy = Node("crazyflie_server"), Policy()
    simulator = PlantSimulator(node, parameters, TruthConfig(), TASK)
    clock = PlantLockStep(node, Spinner(node), simulator, TASK.dt)
    policy.start()
    for episode in (0, 1):  # the second one after a reset: time goes back, nothing is remembered
        simulator._asked = (SEED, episode)
        flown(simulator, clock)
        alone = fly_plant(TASK, load_policy("goal-mpc", task=TASK), seed=SEED, episode=episode, steps=STEPS)
        assert np.allclose(simulator.present.referee.controls, alone.controls, atol=1e-9)
        assert np.allclose(simulator.present.referee.states, alone.states, atol=1e-9)
        assert simulator.present.result().return_ == pytest.approx(alone.result.return_, abs=1e-9)
    policy.spinner.interrupt.requested = True
    policy.join(10.0)
    refused = simulator.present.input.refused
    simulator.running = True
    for values in ([float("nan")], [1.0, 2.0], []):
        simulator._on_control(Float64MultiArray(data=values))
    assert simulator.present.input.refused == refused + 3
    assert node.count_publishers(CONTROL) == 1
