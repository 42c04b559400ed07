"""What `deqmpc_policy` does for a robot that takes its policy's controls: poses in, a control out at each
knot. There is no commander; who drives the robot leaves it at rest when controls stop."""

import time
from collections import deque

from deqmpc_interfaces.msg import FlightState, Plan, Step, StepDone
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer
from std_msgs.msg import Float64MultiArray

from deqmpc_core.flight import FlightPhase
from deqmpc_core.flight.control_loop import ControlLoop, ControlLoopConfig, Source
from deqmpc_core.flight.control_pilot import ControlPilot
from deqmpc_core.flight.latency import LatencyCompensation
from deqmpc_core.flight.pilot import PilotConfig
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.flight.plants import sphere_name
from deqmpc_core.policies import Policy
from deqmpc_core.tasks import Task
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase, nanoseconds, stamp_of
from deqmpc_policy_node.convert import header
from deqmpc_policy_node.diagnostics import OK, WARN, DiagnosticsWriter, Health
from deqmpc_policy_node.flight_state import NOWHERE
from deqmpc_policy_node.live import LiveEdits
from deqmpc_policy_node.lock_step import StepGate
from deqmpc_policy_node.parameters import declare
from deqmpc_policy_node.plant_messages import control_message, plant_plan_message, plant_sample
from deqmpc_policy_node.pose_sources import PoseFrame, PoseSourceParameters, PoseSubscription
from deqmpc_policy_node.qos import COMMAND, LATCHED, PLANS
from deqmpc_policy_node.swap import Preparation
from deqmpc_policy_node.tick_record import TickGrid, TickRecord


def made_for(
    node: Node, policy: Policy, task: Task, config: PilotConfig, latency: str, preparation: Preparation
) -> "PlantNode":
    """The behaviour of a node that flies the task's robot; latency: of LatencyCompensation's modes."""
    pilot, compensation = ControlPilot(policy, task, config), LatencyCompensation(latency, task.dt)
    loop = ControlLoop(pilot, task, declare(node, ControlLoopConfig), compensation)
    return PlantNode(node, loop, task, preparation)


class PlantNode:
    """Feeds the control loop; a step of the simulator asks in lock-step, a steady timer in real time."""

    def __init__(self, node: Node, loop: ControlLoop, task: Task, preparation: Preparation) -> None:
        self.node, self._loop, self._task = node, loop, task
        self._lock_step = bool(node.get_parameter("use_sim_time").value)
        self._base = TimeBase(self._lock_step)
        count = 0 if task.spheres is None else len(task.spheres.center)
        self._wanted = frozenset([*loop.estimator.bodies, *(sphere_name(k) for k in range(count))])
        self._label = ",".join(task.system.controls)
        self._gate: StepGate[PlantSample] = StepGate()
        self._samples: deque[PlantSample] = deque(maxlen=1000)
        self._timer: Timer | None = None
        self._due = False
        self._step, self._told = 0, ("", "")
        self._record, self._grid = TickRecord(), TickGrid(task.dt)
        self._connect()
        self._live = LiveEdits(node, self._base, task, loop.pilot, preparation, self._now)
        self._diagnostics = DiagnosticsWriter(node, self._base, task.name, self._health)

    def _connect(self) -> None:
        node = self.node
        self._controls = node.create_publisher(Float64MultiArray, topics.CONTROL, COMMAND)
        self._plans = node.create_publisher(Plan, topics.PLAN, PLANS)
        self._states = node.create_publisher(FlightState, topics.FLIGHT_STATE, LATCHED)
        source = declare(node, PoseSourceParameters)
        self._mocap = PoseSubscription(node, source, self._base, self._lock_step, self._on_frame)
        if self._lock_step:
            self._done = node.create_publisher(StepDone, topics.STEP_DONE, LATCHED)
            node.create_subscription(Step, topics.STEP, self._on_step, LATCHED)

    def activate(self) -> None:
        """Arm the timers."""
        self._loop.reset()
        self._samples.clear()
        if not self._lock_step:
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = self.node.create_timer(self._task.dt, self._on_timer, clock=clock)
            self._grid.begin(time.monotonic())
        self._diagnostics.start()

    def deactivate(self) -> None:
        """One last control, rest, and no more."""
        self._controls.publish(control_message(self._loop.rest, self._label))
        self._diagnostics.stop()
        if self._timer is not None:
            self.node.destroy_timer(self._timer)
        self._timer = None
        self._announce(FlightPhase.IDLE, "deactivated", self._now())

    def cleanup(self) -> None:
        """Let go of the parameters' callbacks."""
        self._live.close()

    def close(self) -> None:
        """The process ends: the robot is left at rest."""
        self._controls.publish(control_message(self._loop.rest, self._label))

    def _now(self) -> float:
        return self._step / 1e9 if self._lock_step else self._base.now()

    def _on_frame(self, frame: PoseFrame) -> None:
        sample = plant_sample(frame, self._wanted)
        if self._lock_step:
            self._gate.on_frame(frame.frame_number, sample)
        else:
            self._samples.append(sample)

    def _on_step(self, message: Step) -> None:
        self._gate.on_step(nanoseconds(message.stamp), message.frame_number)

    def _on_timer(self) -> None:
        self._due = True

    def decide(self) -> None:
        """Take up what has changed; send a control when one is due."""
        self._live.apply()
        if self._lock_step:
            self._decide_step()
            return
        while self._samples:
            self._loop.see(self._samples.popleft())
        if self._due:
            self._due = False
            self._tick(self._base.now())

    def _decide_step(self) -> None:
        """No answer to the first step before the robot can hear a control."""
        if self._gate.complete() is None or self._controls.get_subscription_count() == 0:
            return
        step, samples = self._gate.take()
        if step.first:
            self._loop.reset()
            self._told = ("", "")
        for sample in samples:
            self._loop.see(sample)
        self._step = step.stamp
        sent = self._tick(step.t)
        phase = FlightPhase.POLICY if sent else FlightPhase.IDLE
        self._done.publish(StepDone(stamp=stamp_of(step.stamp), setpoint_sent=sent, phase=phase.name))

    def _tick(self, t: float) -> bool:
        """True when a control was sent."""
        began, loop = time.perf_counter(), self._loop
        skipped = 0 if self._lock_step else self._grid.serve(time.monotonic())
        warm = loop.pilot.plan is not None
        u = loop.tick(t)
        if u is None:
            self._announce(FlightPhase.IDLE, loop.source.value, t)
            return False
        self._controls.publish(control_message(u, self._label))
        took = time.perf_counter() - began
        if loop.source is not Source.PLAN:
            self.node.get_logger().error(f"{loop.source.value}: {loop.trouble}", throttle_duration_sec=1.0)
        self._report(t, took, warm, skipped)
        return True

    def _report(self, t: float, took: float, warm: bool, skipped: int) -> None:
        loop, late = self._loop, 0
        if not self._lock_step:
            loop.latency.took(took)
            late = int(self._grid.late(time.monotonic()))
        failed = loop.source is not Source.PLAN
        self._record.add(1e3 * took, 1e3 * loop.estimator.age(t), skipped + late, failed)
        if not failed and loop.packet is not None and loop.pilot.plan is not None:
            self._plans.publish(
                plant_plan_message(
                    loop.packet, loop.pilot.plan, self._live.name, warm, 1e3 * took, self._base
                )
            )
        if loop.estimator.age(t) <= loop.config.pose_timeout:
            self._announce(FlightPhase.POLICY, loop.source.value if failed else "", t)

    def _announce(self, phase: FlightPhase, reason: str, t: float) -> None:
        """At every change. Not while poses stay away for a moment: after an episode's end that would look
        like the beginning of another."""
        if (phase.name, reason) == self._told:
            return
        self._told = (phase.name, reason)
        self._states.publish(
            FlightState(header=header(self._base, t), phase=phase.name, reason=reason, goal=NOWHERE)
        )

    def _health(self) -> Health:
        """What /diagnostics tells."""
        figures = self._record.window(time.monotonic())
        values = {"policy": self._live.name, "swaps": self._live.swaps, **figures}
        source, refused = self._loop.source, self._loop.estimator.complaint
        if source in (Source.BEFORE, Source.REST):
            return Health(WARN, source.value, values)
        if source is Source.NONE:
            return Health(WARN, f"{source.value}{': ' + refused if refused else ''}", values)
        if figures["late ticks in the last second"] or figures["solver failures in the last second"]:
            return Health(WARN, "late ticks or failed solves in the last second", values)
        return Health(OK, source.value, values)
