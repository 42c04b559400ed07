"""Which plan is flown: newer ones take its place unless they are unusable or bad for too long."""

import math

import numpy as np

from deqmpc_core.flight.configuration import TIME_TOLERANCE, SafetyConfig
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.obstacle_set import NOTHING
from deqmpc_core.flight.trajectory import PlanPacket

SAMPLES = 13
"""Points of a plan that are held against obstacles; 5 cm apart at 1 m/s."""


class PlanBook:
    """Takes plans in; `plan` is the one to fly, `complaint` says why the newest was refused or is bad."""

    def __init__(self, config: SafetyConfig, began: float) -> None:
        """began [s]: plans from before are of another flight."""
        self._config, self._began = config, began
        self.plan: PlanPacket | None = None
        self.complaint = ""
        self.bad_in_a_row = 0
        self._judged = self._arrival = -math.inf
        self.obstacles = NOTHING
        """Spheres that plans are watched against from now on."""

    def age(self, t: float) -> float:
        """Seconds since the plan's knot 0 or its arrival, the later; infinite before the first."""
        return math.inf if self.plan is None else max(t - self.plan.stamp, t - self._arrival)

    def offer(
        self, packet: PlanPacket, arrival: float, robot: Array | None, captured: float | None = None
    ) -> bool:
        """Take a plan that arrived at arrival [s] while the robot was at (3,) and that was made from a pose
        captured at `captured` [s] or before (None: unknown); False when it is not flown."""
        unusable = packet.fault()
        if not unusable and self._out_of_time(packet, arrival):
            return False
        unusable = unusable or self._outdated(packet, captured) or self._away(packet, arrival, robot)
        if unusable:
            self.complaint = unusable
            return False
        if packet.stamp > self._judged:
            self._judge(packet)
        if self.bad_in_a_row >= self._config.bad_plans:
            return False
        self.plan, self._arrival = packet, arrival
        return True

    def _out_of_time(self, packet: PlanPacket, arrival: float) -> bool:
        """Of another flight, from the future, or not newer than the plan flown."""
        flown = -math.inf if self.plan is None else self.plan.stamp
        future = packet.stamp > arrival + self._config.plan_timeout
        return future or packet.stamp < self._began - TIME_TOLERANCE or packet.stamp <= flown

    def _outdated(self, packet: PlanPacket, captured: float | None) -> str:
        """That the policy flies on poses too old to hold on, in words; empty while it does not."""
        age = 0.0 if captured is None else packet.stamp - captured
        if age <= self._config.pose_late + TIME_TOLERANCE:
            return ""
        return f"it was made from a pose {age:.2f} s old (limit {self._config.pose_late:.2f} s)"

    def _away(self, packet: PlanPacket, arrival: float, robot: Array | None) -> str:
        if robot is None:
            return ""
        with np.errstate(over="ignore", invalid="ignore"):
            distance = float(np.linalg.norm(packet.sample(arrival).position - robot))
        if distance <= self._config.plan_reach:
            return ""
        return f"it is {distance:.2f} m from the robot (limit {self._config.plan_reach:.2f} m)"

    def _judge(self, packet: PlanPacket) -> None:
        """Count bad plans in a row, each once."""
        self._judged = packet.stamp
        self.complaint = self._badness(packet)
        self.bad_in_a_row = self.bad_in_a_row + 1 if self.complaint else 0

    def _badness(self, packet: PlanPacket) -> str:
        c = self._config
        if packet.violation > c.violation_limit:
            return f"constraint violation {packet.violation:.3g} (limit {c.violation_limit:.3g})"
        margin = self.margin(packet)
        if margin < c.obstacle_margin:
            return f"{margin:.2f} m from an obstacle's surface (limit {c.obstacle_margin:.2f} m)"
        if -margin > c.violation_limit:
            return f"{-margin:.2f} m inside an obstacle (limit {c.violation_limit:.2f} m)"
        return ""

    def margin(self, packet: PlanPacket) -> float:
        """Smallest distance of the plan to a known obstacle's surface [m]; infinite without obstacles."""
        if not len(self.obstacles.radii):
            return math.inf
        times = np.linspace(packet.stamp, packet.end, SAMPLES)
        points = np.array([packet.sample(float(t)).position for t in times])
        return self.obstacles.clearance(points, times)
