"""The part of a flight in which the policy flies: which plan is due, how it is flown, when it ends."""

import math

import numpy as np

from deqmpc_core.flight.configuration import TIME_TOLERANCE, CommanderConfig, FlightRequest
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.frames import yaw_from_quaternion
from deqmpc_core.flight.ladder import Answer, SafetyLadder, View, late
from deqmpc_core.flight.plan_book import PlanBook
from deqmpc_core.flight.setpoint_guard import SetpointGuard
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint


class PolicyStream:
    """Plans in, setpoints out, from the tick `began` [s] on for the request's number of periods."""

    def __init__(
        self, config: CommanderConfig, request: FlightRequest, began: float, seen: Estimate, fence: Fence
    ) -> None:
        """seen: the robot at the start."""
        self._config, self._request, self.began = config, request, began
        self.book = PlanBook(config, began)
        still, yaw = np.zeros(3), float(yaw_from_quaternion(seen.quaternion))
        self._hover = Setpoint(request.start, still, still, yaw)
        self._guard = SetpointGuard(config, fence, Setpoint(seen.position, seen.velocity, still, yaw), began)
        self._ladder = SafetyLadder(config, request.policy_period, self._guard, fence)
        self.streamed = False

    @property
    def plan(self) -> PlanPacket | None:
        """The plan being flown."""
        return self.book.plan

    @property
    def holding(self) -> str:
        """Why the plan is not flown on but held, in words; empty while it is."""
        return self._ladder.holding

    def wants_plan(self, t: float) -> bool:
        """True when the plan of the current period is due and has not come."""
        period = self._period(t)
        if not 0 <= period < self._request.policy_steps:
            return False
        due = self.began + period * self._request.policy_period
        return self.plan is None or self.plan.stamp < due - TIME_TOLERANCE

    def tick(self, t: float, view: View) -> Answer:
        """What to do at t [s]: hover at the start until the first plan comes, then fly it."""
        over = self._over(t)
        if over:
            return Answer(land=over)
        if self.plan is None:
            self.streamed = True
            return Answer(self._guard.admit(self._hover, t))
        answer = self._ladder.step(t, self.plan, self.book.age(t), view, self._wanted(self.plan, t))
        self.streamed = self.streamed or answer.setpoint is not None
        return answer

    def _over(self, t: float) -> str | None:
        """Why the policy's flight ends at t, in words: its time is up or its plans are late; None while it
        goes on."""
        request = self._request
        if self._period(t) >= request.policy_steps:
            return f"the policy has flown its {request.policy_steps * request.policy_period:.1f} s"
        if self.plan is None:
            age, limit = t - self.began, self._config.first_plan_timeout
        else:
            age, limit = self.book.age(t), self._config.plan_timeout
        if age <= limit + TIME_TOLERANCE:
            return None
        return f"{late('plan', age, limit, self.book.complaint)}: is the policy alive and fast enough?"

    def _wanted(self, plan: PlanPacket, t: float) -> Setpoint:
        ahead, feedforward = self._config.lookahead, self._config.feedforward_lookahead
        with np.errstate(over="ignore", invalid="ignore"):
            return plan.sample(t + ahead, t + feedforward)

    def _period(self, t: float) -> int:
        """Policy periods completed at t."""
        return math.floor((t - self.began) / self._request.policy_period + TIME_TOLERANCE)
