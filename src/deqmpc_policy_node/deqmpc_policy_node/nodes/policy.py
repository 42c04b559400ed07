"""Node `deqmpc_policy`: poses in, a plan out at each tick. Uses torch; if it dies the commander lands."""

import gc
import sys
import time
from collections import deque
from dataclasses import MISSING, dataclass

import numpy as np
import torch
from deqmpc_interfaces.msg import Estimate as EstimateMessage
from deqmpc_interfaces.msg import FlightState, Plan, PlanRequest, Step
from nav_msgs.msg import Path
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from visualization_msgs.msg import MarkerArray

from deqmpc_core import load_policy
from deqmpc_core.flight import Estimate, FlightPhase, FrameLog, PlanPacket, PoseSample, StateEstimator
from deqmpc_core.flight.pilot import Pilot, PilotConfig
from deqmpc_core.tasks import Task, load_task
from deqmpc_policy_node import markers, topics
from deqmpc_policy_node.clock import TimeBase, nanoseconds
from deqmpc_policy_node.convert import PlanDetails, estimate_message, path_message, plan_message
from deqmpc_policy_node.lock_step import StepGate
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.pose_sources import PoseFrame, PoseSourceParameters, PoseSubscription
from deqmpc_policy_node.process import Spinner, run
from deqmpc_policy_node.qos import LATCHED, PLANS


@dataclass(frozen=True)
class PolicyParameters:
    """Parameters of `deqmpc_policy`."""

    policy: str = option(MISSING, "path or name of a policy bundle, or goal-mpc, hover, straight-line")
    task: str = option("crazyflie", "the task the policy must be made for")
    robot: str = option("cf1", "name of the robot")
    body: str = option("", "name of its rigid body in motion capture; empty: the robot's name")
    rate: float = option(10.0, "ticks a second in real time; in lock-step the commander asks", (1.0, 100.0))
    threads: int = option(1, "threads of torch", (1, 64))


class PolicyNode:
    """Feeds estimator and pilot; asked by the commander in lock-step, by a steady timer in real time."""

    def __init__(self, node: Node, parameters: PolicyParameters, pilot: Pilot, task: Task) -> None:
        self.node, self._parameters, self._pilot, self._task = node, parameters, pilot, task
        self._lock_step = bool(node.get_parameter("use_sim_time").value)
        self._base = TimeBase(self._lock_step)
        self._estimator, self._frames = StateEstimator(), FrameLog()
        self._gate = StepGate()
        self._poses: deque[PoseSample] = deque()
        self._request: PlanRequest | None = None
        self._step = -1
        self._flying = self._due = False
        self._connect()

    def _connect(self) -> None:
        node = self.node
        self._plans = node.create_publisher(Plan, topics.PLAN, PLANS)
        self._estimates = node.create_publisher(EstimateMessage, topics.ESTIMATE, 10)
        self._paths = node.create_publisher(Path, topics.PATH, 1)
        self._waypoints = node.create_publisher(MarkerArray, topics.WAYPOINTS, 1)
        self._obstacles = node.create_publisher(MarkerArray, topics.OBSTACLES, LATCHED)
        self._show_obstacles()
        source = declare(node, PoseSourceParameters)
        self._mocap = PoseSubscription(node, source, self._base, self._lock_step, self._on_frame)
        node.create_subscription(FlightState, topics.FLIGHT_STATE, self._on_flight_state, LATCHED)
        if self._lock_step:
            node.create_subscription(Step, topics.STEP, self._on_step, LATCHED)
        else:
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = node.create_timer(1.0 / self._parameters.rate, self._on_timer, clock=clock)
        node.create_subscription(PlanRequest, topics.PLAN_REQUEST, self._on_request, LATCHED)

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
        """Plan when a plan is due."""
        if self._lock_step:
            self._decide_step()
            return
        while self._poses:
            self._take(self._poses.popleft())
        if self._request is not None and self._request.reset:
            self._flying = self._due = True
            self._pilot.reset()
            self._timer.reset()
        self._request = None
        if self._due:
            self._due = False
            if self._flying:
                self._tick(self._base.now())

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
        estimate = self._estimator.estimate(t)
        if estimate is None:
            self.node.get_logger().warning("no pose yet, no plan", throttle_duration_sec=1.0)
            return
        warm = self._pilot.plan is not None
        packet = self._pilot.tick(estimate, t)
        self._publish(packet, estimate, warm, began)

    def _publish(self, packet: PlanPacket, estimate: Estimate, warm: bool, began: float) -> None:
        """The plan first: the commander waits for it."""
        details = self._details(warm, 1e3 * (time.perf_counter() - began))
        self._plans.publish(plan_message(packet, details, self._base))
        self._estimates.publish(estimate_message(estimate, self._base, self._frames.skipped()))
        self._paths.publish(path_message(packet, self._base))
        self._waypoints.publish(markers.waypoints(details.waypoints, self._base, packet.stamp))

    def _details(self, warm: bool, tick_ms: float) -> PlanDetails:
        plan, times = self._pilot.plan, self._pilot.times
        if plan is None:
            raise RuntimeError("a packet without a plan")
        theta = plan.theta[0, :, :3].double().numpy() + self._task.origin.numpy()
        violation = getattr(plan.info, "violation", None)
        return PlanDetails(
            policy=self._parameters.policy,
            x=plan.x[0].double().numpy(),
            u=plan.u[0].double().numpy(),
            waypoints=theta,
            warm=warm,
            violation=float("nan") if violation is None else float(violation.reshape(-1)[-1]),
            network_ms=times.network,
            solver_ms=times.solver,
            tick_ms=tick_ms,
        )

    def _show_obstacles(self) -> None:
        spheres = self._task.spheres
        if spheres is not None:
            centers = spheres.center.numpy() + self._task.origin.numpy()
            radius = float(np.max(np.asarray(spheres.radius)))
            self._obstacles.publish(markers.obstacles(centers, radius, self._base, 0.0))

    def close(self) -> None:
        """Nothing to put in order: the commander lands when plans stop."""


def warm_up(pilot: Pilot, task: Task) -> None:
    """Compile and touch everything a tick uses, cold and warm, before the node joins the graph."""
    start = task.start(0, 0)
    level, zero = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
    for t in (0.0, task.dt):
        pilot.tick(Estimate(t, 0, start[:3] + task.origin.numpy(), level, zero, zero, zero, 0.0), t)
    pilot.reset()
    gc.collect()
    gc.freeze()


def _build(node: Node, spinner: Spinner) -> PolicyNode:
    del spinner
    parameters = declare(node, PolicyParameters)
    torch.set_num_threads(parameters.threads)
    task = load_task(parameters.task)
    pilot = Pilot(load_policy(parameters.policy, task=parameters.task), task, declare(node, PilotConfig))
    warm_up(pilot, task)
    return PolicyNode(node, parameters, pilot, task)


def main() -> None:
    """Entry point of the executable `policy`."""
    sys.exit(run(topics.POLICY_NODE, _build))


if __name__ == "__main__":
    main()
