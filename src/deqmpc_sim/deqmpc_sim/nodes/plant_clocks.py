"""What moves a simulated plant on: the wall clock, or the policy's answers (speed max)."""

import time
from typing import TYPE_CHECKING

from deqmpc_interfaces.msg import Step, StepDone
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import LATCHED, NANOSECONDS, Spinner, nanoseconds, stamp_of

if TYPE_CHECKING:
    from deqmpc_sim.nodes.plant_simulator import PlantSimulator

PERIOD = 0.005
SILENCE = 0.5
"""s without poses before an episode in real time: who follows them takes it for the beginning it is."""

MAX_LAG = 0.1


class PlantLockStep:
    """Every episode starts at time 0 and goes on from knot to knot: frames due, /clock, Step; then it waits
    for StepDone of the same stamp and the control that it announces.

    The first step waits as long as it takes. A policy that leaves a later one unanswered for step_timeout is
    lost, and with it the episode.
    """

    def __init__(self, node: Node, spinner: Spinner, simulator: "PlantSimulator", dt: float) -> None:
        """dt [s]: between knots."""
        self._node, self._spinner, self._simulator = node, spinner, simulator
        self._period = round(NANOSECONDS * dt)
        self._clock = node.create_publisher(ClockMessage, "/clock", graph.RELIABLE)
        self._steps = node.create_publisher(Step, graph.STEP, LATCHED)
        node.create_subscription(StepDone, graph.STEP_DONE, self._on_done, LATCHED)
        self._answer: StepDone | None = None
        self._now = 0

    def _on_done(self, message: StepDone) -> None:
        self._answer = message

    def advance(self) -> None:
        """One step, or a wait for the next episode."""
        simulator = self._simulator
        if simulator.reset_asked:
            simulator.begin_asked()
            self._now, self._answer = 0, None
        if not simulator.running:
            self._spinner.until(lambda: simulator.reset_asked, graph.PATIENCE)
            return
        self._publish()
        if self._wait():
            self._move_on()

    def _publish(self) -> None:
        """Frames first: the step says which is the last."""
        simulator = self._simulator
        simulator.publish()
        simulator.heard = 0
        self._clock.publish(ClockMessage(clock=stamp_of(self._now)))
        self._steps.publish(Step(stamp=stamp_of(self._now), frame_number=simulator.publisher.last_frame))

    def _wait(self) -> bool:
        """False when there is nothing to go on from: a reset or a signal came in between."""
        simulator, timeout = self._simulator, self._simulator.parameters.step_timeout
        answered = self._spinner.until(
            lambda: simulator.reset_asked or self._answered(), timeout if self._now else None
        )
        if simulator.reset_asked or self._spinner.interrupted:
            return False
        if not answered:
            simulator.present.referee.end("the policy fell silent")
            self._node.get_logger().error(
                f"no answer to the step at {self._now / NANOSECONDS:.2f} s within {timeout:.1f} s: "
                "the policy is lost"
            )
        return True

    def _answered(self) -> bool:
        answer = self._answer
        if answer is None or nanoseconds(answer.stamp) != self._now:
            return False
        if self._now == 0 and not self._simulator.attended:
            return False
        return self._simulator.heard > 0 or not answer.setpoint_sent

    def _move_on(self) -> None:
        simulator = self._simulator
        self._now += self._period
        simulator.present.advance(self._now / NANOSECONDS)
        if simulator.present.over:
            simulator.publish()
            simulator.finish()


class PlantRealTime:
    """Moves the plant to the steady clock every 5 ms; a machine too slow for that loses time."""

    def __init__(self, node: Node, spinner: Spinner, simulator: "PlantSimulator", dt: float) -> None:
        del dt
        self._node, self._spinner, self._simulator = node, spinner, simulator
        self._timer = node.create_timer(PERIOD, self._on_timer, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._due, self._quiet_until = False, 0.0
        self._anchor: float | None = None

    def _on_timer(self) -> None:
        self._due = True

    def advance(self) -> None:
        """Wait for the timer or a callback; move the plant when it is time."""
        self._spinner.once()
        now = time.monotonic()
        if self._simulator.reset_asked:
            self._simulator.begin_asked()
            self._anchor, self._quiet_until = None, now + SILENCE
        elif self._due and self._simulator.running and now >= self._quiet_until:
            self._due = False
            self._move(now)

    def _move(self, now: float) -> None:
        """The episode's time begins once a policy is there."""
        simulator = self._simulator
        if self._anchor is None:
            if not simulator.attended:
                return
            self._anchor, simulator.epoch = now, time.time_ns()
        world = simulator.present
        lag = now - self._anchor - world.time
        if lag > MAX_LAG:
            self._anchor += lag - MAX_LAG
            simulator.epoch += round((lag - MAX_LAG) * NANOSECONDS)
            self._node.get_logger().warning(
                "the machine is too slow for real time", throttle_duration_sec=5.0
            )
        world.advance(now - self._anchor)
        simulator.publish()
        if world.over:
            simulator.finish()
