"""The safety ladder of one tick: fly the plan, hold on it, or land."""

import math
from dataclasses import dataclass

import numpy as np

from deqmpc_core.flight.configuration import TIME_TOLERANCE, SafetyConfig
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.hold import Hold
from deqmpc_core.flight.setpoint_guard import SetpointGuard
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint


@dataclass(frozen=True)
class View:
    """What a tick knows of the robot: age of the newest usable pose [s] (infinite without), why the last pose
    was refused or nothing, and the estimate."""

    pose_age: float
    complaint: str
    seen: Estimate | None


@dataclass(frozen=True)
class Answer:
    """Either a setpoint to send or a reason to land; both None: nothing to do yet."""

    setpoint: Setpoint | None = None
    land: str | None = None


class SafetyLadder:
    """Rungs from top to bottom: fly, hold (`holding` says why), land. It never answers with silence."""

    def __init__(self, config: SafetyConfig, period: float, guard: SetpointGuard, fence: Fence) -> None:
        """period [s]: the policy's; a plan may be that old without being late."""
        self._config, self._guard, self._fence = config, guard, fence
        self.plan_late = max(config.plan_late, period + 0.5 * config.plan_late)
        self.holding = ""
        self._flown: PlanPacket | None = None
        self._hold: Hold | None = None
        self._held_since = 0.0

    def step(self, t: float, plan: PlanPacket, plan_age: float, view: View, wanted: Setpoint) -> Answer:
        """The answer at t [s] where the plan asks for `wanted`."""
        outside = self._fence.left(wanted.position, "the plan") if wanted.is_finite() else ""
        if outside:
            return Answer(land=outside)
        trouble = self._trouble(t, plan, plan_age, view, wanted)
        if trouble:
            return self._keep_holding(t, trouble)
        self._flown, self._hold, self.holding = plan, None, ""
        return Answer(self._guard.admit(wanted, t))

    def _trouble(self, t: float, plan: PlanPacket, plan_age: float, view: View, wanted: Setpoint) -> str:
        """Why the plan must not be flown on at t, in words; empty when it may."""
        if view.pose_age > self._config.pose_late + TIME_TOLERANCE:
            return late("pose", view.pose_age, self._config.pose_late, view.complaint)
        if plan_age > self.plan_late + TIME_TOLERANCE:
            return late("plan", plan_age, self.plan_late)
        if not wanted.is_finite():
            return "the plan asks for what is not finite"
        robot = "" if view.seen is None else self._fence.strayed(view.seen.position, "the robot")
        return robot or self._plan_strays(t, plan, wanted)

    def _plan_strays(self, t: float, plan: PlanPacket, wanted: Setpoint) -> str:
        """The plan is outside the inner box now, or a hold that begins now would end there."""
        with np.errstate(over="ignore", invalid="ignore"):
            rest = plan.sample(t + 0.5 * self._config.hold_braking).position
        now = self._fence.strayed(wanted.position, "the plan")
        return now or self._fence.strayed(rest, "the plan's next stop")

    def _keep_holding(self, t: float, trouble: str) -> Answer:
        if not self.holding:
            self.holding, self._held_since = f"holding: {trouble}", t
            flown = self._flown
            self._hold = None if flown is None else Hold(flown, t, self._config.hold_braking)
        if t - self._held_since > self._config.hold_limit:
            return Answer(land=f"held for {self._config.hold_limit:.1f} s: {trouble}")
        wanted = self._guard.rest() if self._hold is None else self._hold.setpoint(t)
        return Answer(self._guard.admit(wanted, t))


def late(what: str, age: float, limit: float, complaint: str = "") -> str:
    """That there is no usable pose or plan, in words."""
    told = f"; the last one was refused: {complaint}" if complaint else ""
    seconds = "ever" if math.isinf(age) else f"for {age:.2f} s"
    return f"no usable {what} {seconds} (limit {limit:.2f} s{told})"
