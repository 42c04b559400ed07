"""The simulator's own time (speed max): it stands still until the commander has acted on each step."""

from typing import TYPE_CHECKING

from deqmpc_interfaces.msg import Step, StepDone
from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import LATCHED, NANOSECONDS, Spinner, nanoseconds, stamp_of

if TYPE_CHECKING:
    from deqmpc_sim.nodes.simulator import Simulator


class LockStep:
    """Every episode starts at time 0, so a flight never depends on those before it.

    A step: frames due, /clock, Step; then wait for StepDone of the same stamp, and for the setpoint it
    announces. The first step waits as long as it takes: no flight has been asked for yet. A later one that
    stays unanswered for step_timeout means the commander is lost, and time runs on without it, as it would
    for a robot.
    """

    def __init__(self, node: Node, spinner: Spinner, simulator: "Simulator") -> None:
        self._node, self._spinner, self._simulator = node, spinner, simulator
        self._period = round(NANOSECONDS / simulator.parameters.rate)
        self._clock = node.create_publisher(Clock, "/clock", graph.RELIABLE)
        self._steps = node.create_publisher(Step, graph.STEP, LATCHED)
        node.create_subscription(StepDone, graph.STEP_DONE, self._on_done, LATCHED)
        self._answer = StepDone()
        self._now = 0
        self._lost = False
        self._begin()

    def _on_done(self, message: StepDone) -> None:
        self._answer = message

    def _begin(self) -> None:
        self._simulator.begin_asked(0)
        self._now, self._lost, self._answer = 0, False, StepDone()

    def advance(self) -> None:
        """One step, or a wait for the next episode."""
        simulator = self._simulator
        if simulator.reset_asked:
            self._begin()
        if not simulator.running:
            self._spinner.until(lambda: simulator.reset_asked, graph.PATIENCE)
            return
        self._publish()
        if self._lost:
            self._spinner.once(0.0)
        if self._lost or self._wait():
            self._follow()
            self._move_on()

    def _publish(self) -> None:
        """Frames first: the step says which is the last."""
        simulator = self._simulator
        simulator.publish()
        self._clock.publish(Clock(clock=stamp_of(self._now)))
        self._steps.publish(Step(stamp=stamp_of(self._now), frame_number=simulator.mocap.last_frame))

    def _wait(self) -> bool:
        """False when there is nothing to follow: a reset or a signal came in between."""
        simulator, parameters = self._simulator, self._simulator.parameters
        first = self._now == 0
        answered = self._spinner.until(
            lambda: simulator.reset_asked or self._answered(), None if first else parameters.step_timeout
        )
        if simulator.reset_asked or self._spinner.interrupted:
            return False
        if not answered:
            self._lost = True
            simulator.episode.silence()
            self._node.get_logger().error(
                f"no answer to the step at {self._now / NANOSECONDS:.2f} s within "
                f"{parameters.step_timeout:.1f} s: "
                "the commander is lost, time runs on without it"
            )
        return True

    def _answered(self) -> bool:
        """The commander has acted on this step, and everyone who must see all frames is there."""
        self._simulator.take_faults()
        if nanoseconds(self._answer.stamp) != self._now or not self._answer.phase:
            return False
        if self._now == 0 and self._simulator.mocap.followers < self._simulator.parameters.followers:
            return False
        if self._answer.setpoint_sent and self._simulator.server.setpoint_stamp != self._now:
            return False
        return self._answer.phase == self._simulator.episode.phase or self._told_why()

    def _told_why(self) -> bool:
        """The state of a new phase, with its reason, carries the stamp of its first tick."""
        state = self._simulator.flight_state
        return state.phase == self._answer.phase and nanoseconds(state.header.stamp) == self._now

    def _follow(self) -> None:
        if not self._lost:
            self._simulator.episode.follow(self._answer.phase, self._simulator.flight_state.reason)

    def _move_on(self) -> None:
        episode = self._simulator.episode
        if episode.is_over():
            self._simulator.finish()
            return
        self._now += self._period
        episode.world.advance(self._now / NANOSECONDS)
