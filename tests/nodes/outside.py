"""Everything around the commander's node, played by one node in this process: a robot that flies as told,
motion capture, a policy, and an operator, with wild messages among theirs."""

import random
import time
from typing import Any

import numpy as np
import rclpy
from crazyflie_interfaces.msg import FullState, Status
from crazyflie_interfaces.srv import Arm, GoTo, Land, NotifySetpointsStop, Takeoff
from deqmpc_interfaces.msg import FlightState, Obstacles, Plan, PlanRequest
from deqmpc_interfaces.srv import StartFlight
from geometry_msgs.msg import Pose
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Bool
from std_srvs.srv import Empty, Trigger

from deqmpc_core.flight import SendSetpoint, Setpoint
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import PlanDetails, array, plan_message, point
from deqmpc_policy_node.qos import EVERY, LATCHED
from tests.flight.robot import START, packet_at
from tests.nodes.wild import Wild, check

PERIOD = 0.01


class Outside:
    """step() is a hundredth of a second of it all."""

    def __init__(self, domain: int, seed: int) -> None:
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain)
        self.node = rclpy.create_node("outside", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.base = TimeBase(lock_step=False)
        self.rng = random.Random(seed)
        self.wild = Wild(self.rng, self.base)
        self.position, self.target = np.zeros(3), np.zeros(3)
        self.phase, self.setpoints, self.thrown, self.frame = "", 0, 0, 0
        self.phases: set[str] = set()
        self._next, self._ask_again = time.monotonic(), 0
        self._connect()

    def _connect(self) -> None:
        node = self.node
        self._publishers: dict[str, Any] = {
            "rigid_bodies": node.create_publisher(RigidBodies, topics.RIGID_BODIES, EVERY),
            "plan": node.create_publisher(Plan, topics.PLAN, LATCHED),
            "status": node.create_publisher(Status, "/cf1/status", 10),
            "deadman": node.create_publisher(Bool, topics.DEADMAN, 10),
            "obstacles": node.create_publisher(Obstacles, topics.OBSTACLE_SET, LATCHED),
        }
        node.create_subscription(FullState, "/cf1/cmd_full_state", self._on_setpoint, EVERY)
        node.create_subscription(FlightState, topics.FLIGHT_STATE, self._on_state, LATCHED)
        node.create_subscription(PlanRequest, topics.PLAN_REQUEST, lambda _: None, LATCHED)
        for name, kind in (
            ("arm", Arm), ("takeoff", Takeoff), ("land", Land), ("go_to", GoTo),
            ("notify_setpoints_stop", NotifySetpointsStop), ("emergency", Empty),
        ):  # fmt: skip
            node.create_service(kind, f"/cf1/{name}", self._obey)
        self._start = node.create_client(StartFlight, topics.START_SERVICE)
        self._reset = node.create_client(Trigger, topics.RESET_SERVICE)
        self._preflight = node.create_client(Trigger, topics.PREFLIGHT_SERVICE)

    def _obey(self, request: Any, response: Any) -> Any:
        if isinstance(request, GoTo.Request):
            self.target = array(request.goal)
        elif isinstance(request, Takeoff.Request | Land.Request):
            self.target = np.array([*self.position[:2], request.height])
        return response

    def _on_setpoint(self, message: FullState) -> None:
        p, v, a = (array(m) for m in (message.pose.position, message.twist.linear, message.acc))
        check(SendSetpoint(Setpoint(p, v, a, 0.0)))
        self.setpoints += 1
        self.position = self.target = p

    def _on_state(self, message: FlightState) -> None:
        self.phase = message.phase
        self.phases.add(message.phase)

    def step(self, wild: int) -> None:
        """Good messages, and so many wild ones."""
        self.position = self.position + 0.05 * (self.target - self.position)
        self.frame += 1
        self.wild.t, self.wild.place = self.base.now(), self.position
        self._publishers["rigid_bodies"].publish(self._frame())
        if self.frame % 10 == 0:
            self._orderly()
        for _ in range(wild):
            name = self.rng.choice(sorted(self._publishers))
            self._publishers[name].publish(getattr(self.wild, name)())
            self.thrown += 1
        if wild and self.rng.random() < 0.2:
            self._start.call_async(self.wild.start())
        self._wait()

    def _orderly(self) -> None:
        self._publishers["deadman"].publish(Bool(data=True))
        details = PlanDetails("outside", np.zeros((1, 12)), np.zeros((1, 4)))
        packet = packet_at(self.base.now(), self.position)
        self._publishers["plan"].publish(plan_message(packet, details, self.base))
        if self.phase in ("FAULT", "LANDED", "IDLE") and self.frame >= self._ask_again:
            self._ask_again = self.frame + 200  # a request begins the wait on the ground anew
            self._publishers["status"].publish(Status(battery_voltage=4.0))
            if self.phase == "FAULT":
                self._reset.call_async(Trigger.Request())
            request = StartFlight.Request(start=point(START), policy_steps=100, policy_period=0.1)
            self._start.call_async(request)

    def _frame(self) -> RigidBodies:
        noisy = self.position + [self.rng.gauss(0.0, 1e-5) for _ in range(3)]
        message = RigidBodies(frame_number=self.frame)
        message.header.stamp, message.header.frame_id = self.base.stamp(self.base.now()), "map"
        body = RigidBody(rigid_body_name="cf1", pose=Pose(position=point(noisy)))
        message.rigidbodies.append(body)
        return message

    def _wait(self) -> None:
        self._next = max(self._next + PERIOD, time.monotonic())
        while (left := self._next - time.monotonic()) > 0.0:
            self._executor.spin_once(timeout_sec=left)
        for _ in range(5):
            self._executor.spin_once(timeout_sec=0.0)

    def preflight(self, timeout: float) -> str:
        """The commander's list: it answers."""
        future = self._preflight.call_async(Trigger.Request())
        self._executor.spin_until_future_complete(future, timeout_sec=timeout)
        answer = future.result()
        assert answer is not None, "the commander does not answer any more"
        return answer.message

    def close(self) -> None:
        self._context.try_shutdown()
