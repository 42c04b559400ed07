"""Node `deqmpc_policy`: poses in, a plan out at each tick. Uses torch; if it dies the commander lands."""

import sys
import time
import traceback
from collections import deque
from dataclasses import MISSING, dataclass

import torch
from deqmpc_interfaces.msg import Estimate as EstimateMessage
from deqmpc_interfaces.msg import FlightState, Plan, PlanRequest, SolveInfo, Step
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.subscription import Subscription
from rclpy.timer import Timer

from deqmpc_core.flight import Estimate, FlightPhase, FrameLog, PlanPacket, PoseSample, StateEstimator
from deqmpc_core.flight.latency import LatencyCompensation
from deqmpc_core.flight.pilot import Pilot, PilotConfig
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.tasks import Task, load_task
from deqmpc_policy_node import topics
from deqmpc_policy_node.clock import TimeBase, nanoseconds
from deqmpc_policy_node.convert import PlanDetails, estimate_message, plan_message
from deqmpc_policy_node.diagnostics import ERROR, OK, WARN, DiagnosticsWriter, Health
from deqmpc_policy_node.lifecycle import run_managed
from deqmpc_policy_node.live import LiveEdits
from deqmpc_policy_node.loading import settle_memory, sound_policy
from deqmpc_policy_node.lock_step import StepGate
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.plant_node import ControlLoopConfig, PlantNode, made_for
from deqmpc_policy_node.pose_sources import PoseFrame, PoseSourceParameters, PoseSubscription
from deqmpc_policy_node.process import Spinner
from deqmpc_policy_node.qos import LATCHED, PLANS
from deqmpc_policy_node.reports import TickStory, failed, plan_details, solve_info
from deqmpc_policy_node.swap import Preparation
from deqmpc_policy_node.tick_record import TickGrid, TickRecord
from deqmpc_policy_node.transforms import TransformWriter
from deqmpc_policy_node.viewer_topics import ViewerTopics

OLD_REQUEST = 1.0
"""s after which a request on the latched topic belongs to another flight."""

OLD_POSE_MS = 200.0


@dataclass(frozen=True)
class PolicyParameters:
    """Parameters of `deqmpc_policy`."""

    policy: str = option(
        MISSING, "path or name of a policy bundle, or goal-mpc, hover, straight-line", read_only=False
    )
    task: str = option("crazyflie", "the task the policy must be made for")
    robot: str = option("cf1", "name of the robot")
    body: str = option("", "name of its rigid body in motion capture; empty: the robot's name")
    rate: float = option(10.0, "ticks a second in real time; in lock-step the commander asks", (1.0, 100.0))
    threads: int = option(1, "threads of torch", (1, 64))
    preload: tuple[str, ...] = option(
        ("",), "policies to check and keep ready at configure, so that a swap to one of them is immediate"
    )
    pose_late: float = option(0.2, "no plan from poses older than this [s]", (0.02, 5.0))
    latency_compensation: str = option(
        "pose_age", "what the state is predicted over: none, pose_age or pose_age_and_compute"
    )
    tell_rounds: bool = option(False, "publish the plan of each round on ~/rounds, for viewers")
    u_max: float = option(
        0.0, "largest magnitude of a control, the control's unit; 0: the task's own", (0.0, 1e6), False
    )


class PolicyNode:
    """Feeds estimator and pilot; asked by the commander in lock-step, by a steady timer in real time."""

    def __init__(
        self,
        node: Node,
        parameters: PolicyParameters,
        pilot: Pilot,
        task: Task,
        preparation: Preparation | None = None,
    ) -> None:
        self.node, self._parameters, self._pilot, self._task = node, parameters, pilot, task
        self._lock_step = bool(node.get_parameter("use_sim_time").value)
        self._base = TimeBase(self._lock_step)
        self._estimator, self._frames = StateEstimator(), FrameLog()
        self._gate = StepGate()
        self._poses: deque[PoseSample] = deque(maxlen=1000)
        self._request: PlanRequest | None = None
        self._requests: Subscription | None = None
        self._timer: Timer | None = None
        self._step = -1
        self._flying = self._due = False
        self._latency = LatencyCompensation(parameters.latency_compensation, 1.0 / parameters.rate)
        self._record, self._grid = TickRecord(), TickGrid(1.0 / parameters.rate)
        self._connect()
        self._live = LiveEdits(node, self._base, task, pilot, preparation or Preparation(task), self._now)
        self._diagnostics = DiagnosticsWriter(node, self._base, parameters.robot, self._health)

    def _connect(self) -> None:
        node = self.node
        self._plans = node.create_publisher(Plan, topics.PLAN, PLANS)
        self._estimates = node.create_publisher(EstimateMessage, topics.ESTIMATE, 10)
        self._infos = node.create_publisher(SolveInfo, topics.SOLVE_INFO, 10)
        self._viewers = ViewerTopics(node, self._base, self._parameters.tell_rounds)
        self._transforms = TransformWriter(node, self._parameters.robot, self._base)
        source = declare(node, PoseSourceParameters)
        self._mocap = PoseSubscription(node, source, self._base, self._lock_step, self._on_frame)
        node.create_subscription(FlightState, topics.FLIGHT_STATE, self._on_flight_state, LATCHED)
        if self._lock_step:
            node.create_subscription(Step, topics.STEP, self._on_step, LATCHED)

    def activate(self) -> None:
        """Listen to the commander, who takes no policy that does not; arm the timers."""
        self._poses.clear()
        self._request, self._flying, self._due = None, False, False
        self._requests = self.node.create_subscription(
            PlanRequest, topics.PLAN_REQUEST, self._on_request, LATCHED
        )
        if not self._lock_step:
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = self.node.create_timer(1.0 / self._parameters.rate, self._on_timer, clock=clock)
        self._diagnostics.start()

    def deactivate(self) -> None:
        """No plan any more: a commander in flight lands."""
        self._diagnostics.stop()
        if self._timer is not None:
            self.node.destroy_timer(self._timer)
        if self._requests is not None:
            self.node.destroy_subscription(self._requests)
        self._timer = self._requests = None
        self._pilot.reset()

    def cleanup(self) -> None:
        """Let go of the parameters' callbacks."""
        self._live.close()

    def _now(self) -> float:
        return max(self._step, 0) / 1e9 if self._lock_step else self._base.now()

    def _on_frame(self, frame: PoseFrame) -> None:
        sample = frame.sample(self._parameters.body or self._parameters.robot)
        if self._lock_step:
            self._gate.on_frame(frame.frame_number, sample)
        elif sample is not None:
            self._poses.append(sample)

    def _on_step(self, message: Step) -> None:
        self._gate.on_step(nanoseconds(message.stamp), message.frame_number)

    def _on_request(self, message: PlanRequest) -> None:
        self._request = message

    def _on_flight_state(self, message: FlightState) -> None:
        self._flying = self._flying and message.phase == FlightPhase.POLICY.name

    def _on_timer(self) -> None:
        self._due = True

    def decide(self) -> None:
        """Take up what has changed; plan when a plan is due."""
        self._live.apply()
        if self._lock_step:
            self._decide_step()
            return
        if not self._flying:
            self._base.anchor()
        while self._poses:
            self._take(self._poses.popleft())
        if self._request is not None and self._request.reset and self._fresh(self._request):
            self._begin_flight()
        self._request = None
        if self._due:
            self._due = False
            if self._flying:
                self._tick(self._base.now())

    def _fresh(self, request: PlanRequest) -> bool:
        return abs(self._base.now() - self._base.seconds(request.header.stamp)) < OLD_REQUEST

    def _begin_flight(self) -> None:
        """The first tick is due now; the timer's follow it."""
        self._flying = self._due = True
        self._pilot.reset()
        self._grid.begin(time.monotonic())
        if self._timer is not None:
            self._timer.reset()

    def _decide_step(self) -> None:
        if self._gate.complete() is not None:
            step, frames = self._gate.take()
            if step.first:
                self._estimator = StateEstimator()
            for sample in frames:
                self._take(sample)
            self._step = step.stamp
        if self._request is not None and nanoseconds(self._request.header.stamp) == self._step:
            if self._request.reset:
                self._pilot.reset()
            self._request = None
            self._tick(self._step / 1e9)

    def _take(self, sample: PoseSample) -> None:
        self._frames.took(sample.frame_number)
        self._estimator.update(sample)

    def _tick(self, t: float) -> None:
        began = time.perf_counter()
        skipped = 0 if self._lock_step else self._grid.serve(time.monotonic())
        estimate = self._latency.look(self._estimator, t)
        if estimate is None:
            self.node.get_logger().warning("no pose yet, no plan", throttle_duration_sec=1.0)
            return
        if not self._lock_step and estimate.age > self._parameters.pose_late:
            words = f"the newest pose is {estimate.age:.2f} s old, no plan"
            self.node.get_logger().warning(words, throttle_duration_sec=1.0)
            return
        warm, compute = self._pilot.plan is not None, self._latency.expected
        packet = self._planned(estimate)
        if packet is None:
            return
        took = 1e3 * (time.perf_counter() - began)
        details = plan_details(self._pilot, self._task, self._live.name, warm, took)
        self._plans.publish(plan_message(packet, details, self._base))
        story = self._story(details, began, 1e3 * self._estimator.age(t), 1e3 * compute)
        self._record.add(story.tick_ms, story.pose_age_ms, skipped + story.late, failed(packet))
        self._report(packet, t, details, story)

    def _planned(self, estimate: Estimate) -> PlanPacket | None:
        """The plan; None when the policy failed in a way that nobody thought of: the next tick starts cold,
        and until then the commander flies on the plan before."""
        try:
            return self._pilot.tick(estimate, estimate.stamp)
        except Exception:
            self.node.get_logger().error(f"no plan: {traceback.format_exc()}", throttle_duration_sec=1.0)
            self._pilot.reset()
            self._record.add(float("nan"), 1e3 * estimate.age, 0, failed=True)
            return None

    def _story(self, details: PlanDetails, began: float, age_ms: float, compute_ms: float) -> TickStory:
        """The plan is out: how long that took, and what fell due meanwhile."""
        took, behind, late = time.perf_counter() - began, 0.0, False
        if not self._lock_step:
            self._latency.took(took)
            behind, late = self._grid.behind(time.monotonic()), self._grid.late(time.monotonic())
        behind_ms = 1e3 * max(behind, took)
        return TickStory(details.policy, details.warm, 1e3 * took, behind_ms, age_ms, compute_ms, late)

    def _report(self, packet: PlanPacket, t: float, details: PlanDetails, story: TickStory) -> None:
        """What nobody waits for: the estimate at the plan's time, the solve, and pictures."""
        estimate = self._estimator.estimate(packet.stamp)
        if estimate is not None:
            self._estimates.publish(estimate_message(estimate, self._base, self._frames.skipped()))
            self._transforms.send(estimate)
        self._infos.publish(solve_info(self._pilot, packet, self._live.spheres, story, self._base))
        if self._viewers.due(t):
            self._viewers.publish(packet, details, self._pilot, self._task)
            self._live.show_moving(t)

    def _health(self) -> Health:
        """What /diagnostics tells."""
        figures = self._record.window(time.monotonic())
        age = 1e3 * self._estimator.age(self._now())
        values = {"policy": self._live.name, "swaps": self._live.swaps, **figures, "pose age [ms]": age}
        values["compute time [ms]"] = 1e3 * self._latency.expected
        if not age <= OLD_POSE_MS:
            return Health(ERROR if self._flying else WARN, "no fresh pose: is motion capture on?", values)
        if figures["late ticks in the last second"] or figures["solver failures in the last second"]:
            return Health(WARN, "late ticks or failed solves in the last second", values)
        return Health(OK, "planning" if self._flying else "waiting for a flight", values)

    def close(self) -> None:
        """Nothing to put in order: the commander lands when plans stop."""


PARAMETERS = (PolicyParameters, PilotConfig, PoseSourceParameters, ControlLoopConfig)


def _build(node: Node, spinner: Spinner) -> PolicyNode | PlantNode:
    """Configure: everything is checked and warm before the node joins the graph."""
    del spinner
    parameters, config = declare(node, PolicyParameters), declare(node, PilotConfig)
    torch.set_num_threads(parameters.threads)
    task = load_task(parameters.task)
    policy, preparation = sound_policy(parameters.policy, task, config), Preparation(task, config)
    preparation.preload([name for name in parameters.preload if name])
    settle_memory()
    if task.system.name in PLANTS:
        return made_for(node, policy, task, config, parameters.latency_compensation, preparation)
    return PolicyNode(node, parameters, Pilot(policy, task, config), task, preparation)


def main() -> None:
    """Entry point of the executable `policy`."""
    sys.exit(run_managed(topics.POLICY_NODE, _build, PARAMETERS))


if __name__ == "__main__":
    main()
