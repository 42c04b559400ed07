"""Node `deqmpc_view` among others: what it shows, what it asks for."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rclpy
from deqmpc_interfaces.msg import FlightState, Obstacles, Plan
from deqmpc_interfaces.srv import LoadPolicy
from geometry_msgs.msg import Point
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from deqmpc.view.browser import free_port
from deqmpc.view.page import Fly, Move
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Iterate
from deqmpc_core.types import Plan as Plans
from deqmpc_policy_node import markers, topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.qos import LATCHED, PLANS
from deqmpc_policy_node.reports import round_plans

pytestmark = pytest.mark.ros
pytest.importorskip("viser", reason="'viser' is not installed (requirements-view.txt)")
BASE = TimeBase(lock_step=True)


def test_messages_become_the_picture_and_wishes_become_messages(domain: int) -> None:
    from deqmpc.view.node import ViewNode, ViewParameters

    del domain
    rclpy.init(args=[])
    viewer, other = Node("deqmpc_view"), Node("policy")
    view = ViewNode(viewer, ViewParameters("goal-mpc", "crazyflie", free_port(8400)))
    executor = SingleThreadedExecutor()
    for node in (viewer, other):
        executor.add_node(node)
    sets: list[Obstacles] = []
    asked: list[str] = []

    def load(request: Any, response: Any) -> Any:
        asked.append(request.name)
        response.success, response.message = False, "no policy 'x'"
        return response

    other.create_service(LoadPolicy, topics.LOAD_SERVICE, load)
    other.create_subscription(Obstacles, topics.SET_OBSTACLES, sets.append, 10)
    rounds = other.create_publisher(MarkerArray, topics.ROUNDS, 1)
    knots = [Point(x=float(k)) for k in range(7)]
    plan = Plan(position=knots, waypoints=[Point(z=1.0)] * 5, policy="goal-mpc")
    other.create_publisher(Plan, topics.PLAN, PLANS).publish(plan)
    spheres = Obstacles(centers=[Point(x=1.0), Point(y=1.0)], radii=[0.1, 0.2])
    other.create_publisher(Obstacles, topics.OBSTACLE_SET, LATCHED).publish(spheres)
    other.create_publisher(FlightState, topics.FLIGHT_STATE, LATCHED).publish(FlightState(phase="POLICY"))
    told = markers.rounds([np.zeros((6, 3)), np.ones((6, 3))], BASE, 0.0)
    picture = view._picture

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20.0
        while not condition() and time.monotonic() < deadline:
            rounds.publish(told)
            executor.spin_once(timeout_sec=0.05)
            view.decide()
        assert condition()

    try:
        until(lambda: len(picture.plan) == 7 and len(picture.rounds) == 2 and picture.phase == "POLICY")
        assert len(picture.obstacles.radii) == 2 and np.allclose(picture.rounds[1], 1.0)
        view._page._wishes += [Move(1, (0.0, 2.0, 1.0), True), Fly("x")]
        until(lambda: bool(sets) and "no policy 'x'" in picture.told)
        assert [(c.x, c.y, c.z) for c in sets[0].centers] == [(1.0, 0.0, 0.0), (0.0, 2.0, 1.0)]
        assert list(sets[0].radii) == [0.1, 0.2] and asked == ["x"]
    finally:
        view.close()
        executor.shutdown()
        rclpy.try_shutdown()


def test_the_rounds_of_a_tick_are_in_the_world_frame() -> None:
    import torch

    task = load_task("crazyflie")
    x = torch.arange(72.0).reshape(1, 6, 12)
    shown = Plans(x, x, x, (Iterate(x, x, x),) * 3, torch.zeros(1))
    plans = round_plans(SimpleNamespace(plan=shown), task)  # type: ignore[arg-type]
    assert len(plans) == 3 and np.allclose(plans[0], x[0, :, :3].numpy() + task.origin.numpy())
    assert round_plans(SimpleNamespace(plan=None), task) == []  # type: ignore[arg-type]
