"""What may change while the policy flies: the policy itself, the spheres, the control limits.

Callbacks check and store; `apply` acts between two ticks. Whatever is refused leaves what was there before.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from deqmpc_interfaces.msg import Obstacles
from deqmpc_interfaces.srv import LoadPolicy
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from visualization_msgs.msg import MarkerArray

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.control_pilot import ControlPilot
from deqmpc_core.flight.limits import tightened
from deqmpc_core.flight.pilot import Pilot
from deqmpc_core.tasks import Task
from deqmpc_policy_node import markers, topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.qos import LATCHED, NEWEST
from deqmpc_policy_node.reports import obstacle_set, obstacles_message, task_spheres
from deqmpc_policy_node.swap import Preparation, Prepared

POLICY, LARGEST = "policy", "u_max"
"""Parameters that may be set in flight."""


class LiveEdits:
    """Hands new policies, spheres and limits to the pilot; `name` is that of the policy that flies."""

    def __init__(
        self,
        node: Node,
        base: TimeBase,
        task: Task,
        pilot: Pilot | ControlPilot,
        preparation: Preparation,
        now: Callable[[], float],
    ) -> None:
        self._node, self._base, self._task, self._pilot, self._now = node, base, task, pilot, now
        self._preparation = preparation
        self.name = str(node.get_parameter(POLICY).value)
        self.spheres = task_spheres(task)
        """What is kept clear of, world frame."""
        self.swaps = 0
        self.swap_ms = float("nan")
        """Time of the last hand-over between two policies."""
        self._answer: Future | None = None
        self._own_set = False
        pilot.limits = tightened(task, _number(node.get_parameter(LARGEST)))
        self._connect()

    def _connect(self) -> None:
        node, apart = self._node, ReentrantCallbackGroup()
        self._markers = node.create_publisher(MarkerArray, topics.OBSTACLES, LATCHED)
        self._sets = node.create_publisher(Obstacles, topics.OBSTACLE_SET, LATCHED)
        node.create_subscription(Obstacles, topics.SET_OBSTACLES, self._on_obstacles, NEWEST)
        # A group of its own: a call that waits for its policy holds no other callback up.
        answer: Any = self._on_load
        node.create_service(LoadPolicy, topics.LOAD_SERVICE, answer, callback_group=apart)
        node.add_on_set_parameters_callback(self._check)
        node.add_post_set_parameters_callback(self._take)
        self.show(0.0)

    def close(self) -> None:
        """Let parameters be; the entities are the node's."""
        self._node.remove_on_set_parameters_callback(self._check)
        self._node.remove_post_set_parameters_callback(self._take)

    def show(self, t: float) -> None:
        """Publish the spheres as they are at t [s], and the set in force."""
        self._show_markers(t)
        self._sets.publish(obstacles_message(self.spheres, self._base))

    def show_moving(self, t: float) -> None:
        """Publish markers anew where spheres move."""
        if self.spheres.moving:
            self._show_markers(t)

    def _show_markers(self, t: float) -> None:
        centers = self.spheres.at(np.array([t]))[0]
        self._markers.publish(markers.spheres(centers, self.spheres.radii, self._base, t))

    def _on_obstacles(self, message: Obstacles) -> None:
        now = self._now()
        try:
            spheres = obstacle_set(message, self._base, now)
            self._pilot.avoid(spheres)
        except ConfigError as error:
            self._node.get_logger().error(f"obstacles refused, the old set stays: {error}")
            return
        self.spheres = spheres
        self.show(now)

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        """Refuse at once what cannot be tried."""
        for parameter in parameters:
            why = self._objection(parameter)
            if why:
                return SetParametersResult(successful=False, reason=why)
        return SetParametersResult(successful=True)

    def _objection(self, parameter: Parameter) -> str:
        if parameter.name == POLICY and not self._own_set:
            return self._policy_objection(str(parameter.value))
        if parameter.name == LARGEST:
            try:
                tightened(self._task, _number(parameter))
            except ConfigError as error:
                return str(error)
        return ""

    def _policy_objection(self, name: str) -> str:
        return "" if self._flies(name) else self._preparation.objection(name)

    def _flies(self, name: str) -> bool:
        return name == self.name and not self._preparation.name

    def _take(self, parameters: list[Parameter]) -> None:
        """Accepted: the limits hold from the next tick on; a policy is prepared."""
        for parameter in parameters:
            if parameter.name == LARGEST:
                self._pilot.limits = tightened(self._task, _number(parameter))
            elif parameter.name == POLICY and not self._own_set and not self._flies(str(parameter.value)):
                self._preparation.begin(str(parameter.value))

    async def _on_load(
        self, request: LoadPolicy.Request, response: LoadPolicy.Response
    ) -> LoadPolicy.Response:
        """Answers when the policy flies or has failed; the executor goes on meanwhile."""
        if self._flies(request.name):
            response.success, response.message = True, f"'{request.name}' flies already"
            return response
        response.message = self._preparation.objection(request.name)
        if not response.message:
            self._preparation.begin(request.name)
            self._answer = Future()
            answer: Any = await self._answer
            response.success, response.message = answer
        return response

    def apply(self) -> None:
        """Between two ticks: hand over to the policy that has become ready, or go on with the old one."""
        done = self._preparation.poll()
        if done is None:
            return
        flies, said = self._tried(done)
        self._own_set = True
        try:
            self._node.set_parameters([Parameter(POLICY, value=self.name)])
        finally:
            self._own_set = False
            if self._answer is not None:
                self._answer.set_result((flies, said))
            self._answer = None

    def _tried(self, done: Prepared) -> tuple[bool, str]:
        """Whether the policy flies from now on, and that in words; whatever it raises, the old one flies."""
        if done.policy is None:
            return False, self._keep(done)
        try:
            return True, self._hand_over(done)
        except Exception as error:
            return False, self._keep(Prepared(done.name, None, f"{type(error).__name__}: {error}"))

    def _hand_over(self, done: Prepared) -> str:
        began = time.perf_counter()
        warm = self._pilot.take_over(done.policy)
        self.swap_ms = 1e3 * (time.perf_counter() - began)
        before, self.name, self.swaps = self.name, done.name, self.swaps + 1
        start = "goes on from the plan under way" if warm else "starts cold"
        said = f"'{self.name}' flies in the place of '{before}' and {start}"
        self._node.get_logger().info(said)
        return said

    def _keep(self, done: Prepared) -> str:
        said = f"'{done.name}' was not taken, '{self.name}' flies on: {done.why}"
        self._node.get_logger().error(said)
        return said


def _number(parameter: Parameter) -> float:
    value: Any = parameter.value
    return float(value or 0.0)
