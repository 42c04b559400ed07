"""The commander's side of the conversation with the policy: ask for plans, wait for them, hand them on."""

from deqmpc_interfaces.msg import Plan, PlanRequest
from rclpy.node import Node

from deqmpc_core.flight import Commander
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import header
from deqmpc_policy_node.inputs import Inputs
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.qos import LATCHED


class PlanLink:
    """Keeps the newest plan. In lock-step it waits for the plan of the tick; else the policy has a clock of
    its own."""

    def __init__(
        self,
        node: Node,
        spinner: Spinner,
        base: TimeBase,
        inputs: Inputs,
        lock_step: bool,
        timeout: float,
    ) -> None:
        """timeout [s] of wall time to wait for a plan in lock-step."""
        self._inputs = inputs
        self._spinner, self._base, self._lock_step, self._timeout = spinner, base, lock_step, timeout
        self._requests = node.create_publisher(PlanRequest, topics.PLAN_REQUEST, LATCHED)
        node.create_subscription(Plan, topics.PLAN, self._on_plan, LATCHED)
        self._plan: Plan | None
        self._arrival = 0.0
        self.begin_flight()

    @property
    def listeners(self) -> int:
        """Policies that would hear a request."""
        return self._requests.get_subscription_count()

    def begin_flight(self) -> None:
        """Count requests from zero; believe in the policy again."""
        self._plan, self._sequence, self._asked, self._lost = None, 0, -1.0, False

    def _on_plan(self, message: Plan) -> None:
        self._plan, self._arrival, self._lost = message, self._base.now(), False

    def provide(self, commander: Commander, t: float) -> None:
        """Give the commander the plan it wants at t [s], if it wants one."""
        if not commander.wants_plan(t):
            return
        if not self._lock_step:
            if self._sequence == 0:
                self._ask(t, reset=True)
            if self._plan is not None:
                self._inputs.plan(commander, self._plan, self._arrival)
        elif self._asked != t:
            self._await(commander, t)

    def _await(self, commander: Commander, t: float) -> None:
        """After a plan that never came, ask on but do not wait until one comes: a dead policy must not stop
        time."""
        self._ask(t, reset=commander.plan is None)
        if not self._lost:
            self._lost = not self._spinner.until(lambda: self._answered(t), self._timeout)
        if self._plan is not None and self._answered(t):
            self._inputs.plan(commander, self._plan, t)

    def _answered(self, t: float) -> bool:
        return self._plan is not None and self._plan.header.stamp == self._base.stamp(t)

    def _ask(self, t: float, reset: bool) -> None:
        request = PlanRequest(header=header(self._base, t), reset=reset, sequence=self._sequence)
        self._requests.publish(request)
        self._sequence, self._asked = self._sequence + 1, t
