"""The simulator by the wall clock: a steady timer says how far the world should be."""

import time
from typing import TYPE_CHECKING

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from deqmpc_core.flight import FlightPhase
from deqmpc_sim.firmware import STEPS_PER_SECOND
from deqmpc_sim.nodes.graph import NANOSECONDS, Spinner

if TYPE_CHECKING:
    from deqmpc_sim.nodes.simulator import Simulator

PERIOD = 0.005
MAX_LAG = 0.1
GRACE = 0.2


class RealTime:
    """Advances the world to the steady clock every 5 ms; a machine too slow for that loses time, which is
    said."""

    def __init__(self, node: Node, spinner: Spinner, simulator: "Simulator") -> None:
        self._node, self._spinner, self._simulator = node, spinner, simulator
        self._due = False
        self._lost = self._lost_before_policy = 0.0
        self._timer = node.create_timer(PERIOD, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._begin()

    def _on_timer(self) -> None:
        self._due = True

    def _begin(self) -> None:
        self._simulator.begin_asked(time.time_ns())
        self._anchor = time.monotonic()

    def advance(self) -> None:
        """Wait for the timer or a callback; move the world when it is time."""
        self._spinner.once()
        if self._simulator.reset_asked:
            self._begin()
        elif self._due:
            self._due = False
            self._move()

    def _move(self) -> None:
        simulator, episode = self._simulator, self._simulator.episode
        state = simulator.flight_state
        if simulator.running and state.phase:
            episode.follow(state.phase, state.reason, self._grace(state.phase))
        episode.world.advance(self._target(episode.world.time))
        episode.settle()
        simulator.publish()
        if simulator.running and episode.is_over() and not episode.ending:
            simulator.finish()

    def _grace(self, phase: str) -> float:
        """How long the referee looks on after the policy's part [s]: time lost in it is not the policy's
        fault."""
        policy = FlightPhase.POLICY.name
        if policy not in (phase, self._simulator.episode.phase):
            self._lost_before_policy = self._lost
        return GRACE + self._lost - self._lost_before_policy

    def _target(self, now: float) -> float:
        """Where the world should be [s], on the 2 ms grid."""
        target = time.monotonic() - self._anchor
        if target - now > MAX_LAG:
            self._lose(target - now - MAX_LAG)
            target = now + MAX_LAG
        return int(target * STEPS_PER_SECOND) / STEPS_PER_SECOND

    def _lose(self, seconds: float) -> None:
        """Give up catching up: the world's clock stays on the wall's, so that poses are not old ever
        after."""
        self._lost += seconds
        self._anchor += seconds
        self._simulator.epoch += round(seconds * NANOSECONDS)
        self._node.get_logger().warning(
            f"the machine is too slow for real time: {self._lost:.1f} s lost so far",
            throttle_duration_sec=5.0,
        )
