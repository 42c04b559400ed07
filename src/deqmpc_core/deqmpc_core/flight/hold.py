"""Coming to rest along a plan: the path is one that was found safe, only time runs out on it."""

from deqmpc_core.flight.trajectory import PlanPacket, Setpoint

AT_REST = 1e-6
"""Share of the plan's pace below which the robot rests: times are sums of rounded numbers."""


class Hold:
    """Time on the plan slows down evenly from 1 to 0 within `braking` [s]; from then on the robot hovers.

    With s the plan's time: velocity v s', acceleration a s'^2 + v s''. So the robot stops braking / 2 further
    along the plan, on it, without a jump in position or velocity.
    """

    def __init__(self, plan: PlanPacket, t: float, braking: float) -> None:
        """t [s]: where on the plan the hold begins."""
        self._plan, self._begin, self._braking = plan, t, braking

    @property
    def stop(self) -> float:
        """The plan's time at which the robot rests [s]."""
        return self._begin + 0.5 * self._braking

    def setpoint(self, t: float) -> Setpoint:
        """What to send at t [s]."""
        passed = min(max(t - self._begin, 0.0), self._braking)
        pace = 1.0 - passed / self._braking
        s = self._begin + passed * (1.0 - 0.5 * passed / self._braking)
        there = self._plan.sample(s)
        if pace < AT_REST or s >= self._plan.end:
            return Setpoint(there.position, 0.0 * there.velocity, 0.0 * there.velocity, there.yaw)
        slowing = there.velocity / self._braking
        return Setpoint(
            there.position, pace * there.velocity, pace * pace * there.acceleration - slowing, there.yaw
        )
