"""The part of a flight in which the policy flies: which plan is due, which is flown, when it is late, when
time is up."""

import math

from deqmpc_core.flight.configuration import CommanderConfig, FlightRequest
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint

TIME_TOLERANCE = 1e-6


class PolicyStream:
    """Plans in, setpoints out, from the tick `began` [s] on for the request's number of periods."""

    def __init__(self, config: CommanderConfig, request: FlightRequest, began: float) -> None:
        self._config, self._request, self.began = config, request, began
        self._arrival = -math.inf
        self.plan: PlanPacket | None = None
        self.streamed = False

    def on_plan(self, packet: PlanPacket, arrival: float) -> bool:
        """Take a plan; False means ignored: unusable, not newer than the one flown, or from before or far
        ahead of now."""
        if packet.fault() is not None or packet.stamp > arrival + self._config.plan_timeout:
            return False
        if packet.stamp < self.began - TIME_TOLERANCE or (
            self.plan is not None and packet.stamp <= self.plan.stamp
        ):
            return False
        self.plan, self._arrival = packet, arrival
        return True

    def wants_plan(self, t: float) -> bool:
        """True when the plan of the current period is due and has not come."""
        period = self._period(t)
        if not 0 <= period < self._request.policy_steps:
            return False
        due = self.began + period * self._request.policy_period
        return self.plan is None or self.plan.stamp < due - TIME_TOLERANCE

    def over(self, t: float) -> str | None:
        """Why the policy's flight ends at t, in words: its time is up or its plans are late; None while it
        goes on."""
        request = self._request
        if self._period(t) >= request.policy_steps:
            return f"the policy has flown its {request.policy_steps * request.policy_period:.1f} s"
        if self.plan is None:
            age, limit = t - self.began, self._config.first_plan_timeout
        else:
            age, limit = max(t - self.plan.stamp, t - self._arrival), self._config.plan_timeout
        if age <= limit + TIME_TOLERANCE:
            return None
        return f"no usable plan for {age:.2f} s (limit {limit:.2f} s): is the policy alive and fast enough?"

    def setpoint(self, t: float) -> Setpoint | None:
        """What to send at t; None before the first plan."""
        if self.plan is None:
            return None
        self.streamed = True
        ahead, feedforward = self._config.lookahead, self._config.feedforward_lookahead
        return self.plan.sample(t + ahead, t + feedforward).limited()

    def _period(self, t: float) -> int:
        """Policy periods completed at t."""
        return math.floor((t - self.began) / self._request.policy_period + TIME_TOLERANCE)
