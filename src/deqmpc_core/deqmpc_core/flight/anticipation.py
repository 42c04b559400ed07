"""Where the robot will be when a new plan takes hold, and what pushes it that no plan knows of.

A robot takes about a policy period to tilt as it is told. A plan that began at the measured state would
start each time with an attitude the robot is about to leave, so its first interval would never be flown.
Here the first interval of every plan is settled by the plan before, and the policy plans from its end.
"""

from dataclasses import dataclass

import numpy as np

from deqmpc_core.flight.configuration import check, number
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import (
    Array,
    conjugate,
    multiply,
    quaternion_from_mrp,
    rotation_vector_from_quaternion,
    task_from_world,
    yaw_from_quaternion,
)
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint


@dataclass(frozen=True)
class AnticipationConfig:
    """How much to believe the plan, and how fast to learn what disturbs it.

    What trust leaves of a deviation is for the robot's own position controller, which steers back to the
    plan.
    """

    trust: float = number(
        0.2, "share of the measured deviation taken over in a knot spacing by the plans' starts", 0.0, 1.0
    )
    lost_distance: float = number(
        0.25, "plan from the measured state when farther off the plan [m]", 0.0, 2.0
    )
    lost_angle: float = number(0.6, "plan from the measured state when tilted off the plan [rad]", 0.0, 3.0)
    disturbance_gain: float = number(
        0.1, "share of unasked acceleration learnt in a knot spacing, 0 is off", 0.0, 1.0
    )
    disturbance_limit: float = number(2.0, "largest correction on an axis [m/s^2]", 0.0, 5.0)

    def __post_init__(self) -> None:
        check(self)


class Anticipation:
    """Remembers the plan being flown; task states (n,) are [r, MRP, body v, omega]."""

    def __init__(self, config: AnticipationConfig, origin: Array, dt: float) -> None:
        """origin (3,): the task frame's, world [m]; dt [s]: how far ahead plans begin, the plans' knot
        spacing."""
        self._config, self._origin, self._dt = config, origin, dt
        self.reset()

    def reset(self) -> None:
        """Forget the plan and the disturbance."""
        self.bias: Array = np.zeros(3)
        """Added to the acceleration feed-forward against the disturbance (3,), world [m/s^2]."""
        self.forget()

    def forget(self) -> None:
        """Forget the plan only."""
        self._plan: PlanPacket | None = None
        self._states: Array = np.zeros((0, 12))
        self._velocity: Array = np.zeros(3)
        self._sent_bias: Array = self.bias

    def remember(self, plan: PlanPacket, states: Array, estimate: Estimate) -> None:
        """plan: what was sent, made from `estimate`; states (T+1, 12): the policy's plan, its first row dt
        after plan.stamp."""
        self._plan, self._states = plan, states
        self._velocity, self._sent_bias = estimate.velocity, self.bias

    def look(self, estimate: Estimate, t: float) -> tuple[Setpoint, Array]:
        """What the plan asks for at t [s] (without the correction for the disturbance), and the task state
        (12,) at t + dt."""
        self._observe(estimate, t)
        plan = self._plan
        if plan is None or self._lost(plan, estimate, t):
            return self._from_measured(estimate)
        was, then = plan.sample(t), plan.sample(t + self._dt)
        trust = self._share(self._config.trust, plan, t)
        shift = trust * (estimate.position - was.position)
        gust = trust * (estimate.velocity - was.velocity)
        now = Setpoint(was.position + shift, was.velocity + gust, was.acceleration - self._sent_bias, was.yaw)
        attitude = self._state(t + self._dt)
        position, velocity = then.position + shift + self._dt * gust, then.velocity + gust
        quaternion = quaternion_from_mrp(attitude[3:6])
        return now, task_from_world(position, quaternion, velocity, attitude[9:12], self._origin)

    def _from_measured(self, estimate: Estimate) -> tuple[Setpoint, Array]:
        """Without a plan: what is measured, moving on as it does."""
        yaw = float(yaw_from_quaternion(estimate.quaternion))
        now = Setpoint(estimate.position, estimate.velocity, np.zeros(3), yaw)
        position = estimate.position + self._dt * estimate.velocity
        return now, task_from_world(
            position, estimate.quaternion, estimate.velocity, estimate.omega, self._origin
        )

    def _lost(self, plan: PlanPacket, estimate: Estimate, t: float) -> bool:
        """The robot is somewhere else than planned."""
        planned = quaternion_from_mrp(self._state(t)[3:6])
        angle = np.linalg.norm(
            rotation_vector_from_quaternion(multiply(conjugate(planned), estimate.quaternion))
        )
        distance = np.linalg.norm(estimate.position - plan.sample(t).position)
        return bool(angle > self._config.lost_angle or distance > self._config.lost_distance)

    def _share(self, a_knot: float, plan: PlanPacket, t: float) -> float:
        """What a share per knot spacing comes to in the time since the plan, so that plans at any rate
        follow the robot at the same pace; never more than the share itself."""
        elapsed = round((t - plan.stamp) / self._dt, 6)
        return a_knot if elapsed >= 1.0 else 1.0 - (1.0 - a_knot) ** max(elapsed, 0.0)

    def _state(self, t: float) -> Array:
        """The policy's planned task state (12,) at t [s], linear between knots, held at the ends."""
        if self._plan is None:
            raise RuntimeError("no plan to look at")
        knots = np.clip((t - self._plan.stamp) / self._dt - 1.0, 0.0, len(self._states) - 1.0)
        index = min(int(knots), len(self._states) - 2)
        fraction = knots - index
        return (1.0 - fraction) * self._states[index] + fraction * self._states[index + 1]

    def _observe(self, estimate: Estimate, t: float) -> None:
        """Integrate the velocity change that the plan did not ask for: a wrong mass, thrust or drag shows
        there."""
        plan, config = self._plan, self._config
        if plan is None or not t > plan.stamp:
            return
        asked = plan.sample(t).velocity - plan.velocity_world[0]
        unasked = (estimate.velocity - self._velocity - asked) / (t - plan.stamp)
        limit, gain = config.disturbance_limit, self._share(config.disturbance_gain, plan, t)
        self.bias = np.clip(self.bias - gain * unasked, -limit, limit)
