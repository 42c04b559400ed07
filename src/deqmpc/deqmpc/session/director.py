"""The run's own node: asks for episodes and flights, and listens."""

import re
import time
from collections.abc import Callable
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from crazyflie_interfaces.msg import FullState
from deqmpc_interfaces.msg import EpisodeResult, FlightState, Plan
from deqmpc_interfaces.srv import InjectFault, ResetEpisode, StartFlight
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Point
from nav_msgs.msg import Odometry
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String
from std_srvs.srv import Trigger

from deqmpc.session.interrupts import interrupts_held
from deqmpc.session.track import Track, Verdict
from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import FlightPhase
from deqmpc_policy_node import topics
from deqmpc_sim.strikes import Strike

try:
    from deqmpc_interfaces.srv import LoadPolicy
except ImportError:
    LoadPolicy = None

NODE = "deqmpc_director"
RESET_SERVICE = "/crazyflie_server/reset"
FAULT_SERVICE = "/crazyflie_server/inject_fault"
LOAD_SERVICE = f"/{topics.POLICY_NODE}/load_policy"
FIRMWARE = "/deqmpc/firmware"
DEEP = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
DEEP_LATCHED = QoSProfile(
    depth=100, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
QUIET = 0.3
FIRST = 0.15
"""In lock-step the first report of an episode is stamped no later [s]."""
_EVENT = re.compile(r"([0-9.]+) s: (.*)")


class Director:
    """Callbacks fill the track of the episode under way; waiting is done here, outside callbacks."""

    def __init__(self, watch: Callable[[], None], lock_step: bool) -> None:
        """watch: called while waiting; raises to give up. lock_step: every episode's stamps begin at 0."""
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node(NODE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._watch = watch
        self._track = Track(0, 0)
        self._lock_step = lock_step
        self._origin: float | None = None
        self._asked = 0.0
        self._swap: Any = None
        self._reset = self._node.create_client(ResetEpisode, RESET_SERVICE)
        self._inject = self._node.create_client(InjectFault, FAULT_SERVICE)
        self._start = self._node.create_client(StartFlight, topics.START_SERVICE)
        self._acknowledge = self._node.create_client(Trigger, topics.RESET_SERVICE)
        self._listen(EpisodeResult, topics.EPISODE_RESULT, self._on_result, DEEP)
        self._listen(FlightState, topics.FLIGHT_STATE, self._on_state, DEEP_LATCHED)
        self._listen(Plan, topics.PLAN, self._on_plan, DEEP)
        self._listen(Odometry, topics.TRUTH, self._on_truth, DEEP)
        self._listen(String, FIRMWARE, self._on_firmware, DEEP)
        self._listen(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, DEEP)
        self.bags = 0

    def _listen(self, kind: Any, topic: str, callback: Callable[[Any], None], qos: QoSProfile) -> None:
        self._node.create_subscription(kind, topic, callback, qos)

    def close(self) -> None:
        """Leave the graph.

        The node is not destroyed here: Fast DDS was once seen to hang for good while a publisher was
        destroyed, and the run's figures are not written yet. The end of the process takes it down.
        """
        self._executor.shutdown()
        rclpy.try_shutdown()

    def reset(self, track: Track, timeout: float) -> Point:
        """Put the robot below the start of the track's episode; where the policy is to take over."""
        if self._track.phase == FlightPhase.FAULT.name:
            self._acknowledge_fault()
        self._track, self._asked, self._origin = track, time.time(), None
        request = ResetEpisode.Request(seed=track.seed, episode=track.episode)
        response = self._call(self._reset, request, timeout)
        if not response.success:
            raise ConfigError(f"the simulator refused episode {track.episode}: {response.message}")
        return response.start

    def _acknowledge_fault(self) -> None:
        """In real time the commander lives on over episodes, and with it a fault of the last one."""
        if self._lock_step or not self._acknowledge.service_is_ready():
            return
        request, deadline = Trigger.Request(), time.monotonic() + 5.0
        while time.monotonic() < deadline and not self._call(self._acknowledge, request, 5.0).success:
            self.spin(0.1)

    def start(self, start: Point, steps: int, period: float, timeout: float) -> None:
        """Ask for the flight until the commander accepts; its last objection is the error."""
        request = StartFlight.Request(start=start, policy_steps=steps, policy_period=period)
        deadline = time.monotonic() + timeout
        while True:
            response = self._call(self._start, request, timeout)
            if response.accepted:
                return
            if time.monotonic() > deadline:
                raise ConfigError(f"no flight within {timeout:.0f} s: {response.message}")
            self.spin(0.1)

    def listening(self, names: set[str]) -> bool:
        """True when nodes of all these names listen to motion capture, on either of its topics."""
        ends = (self._node.get_subscriptions_info_by_topic(t) for t in (topics.RIGID_BODIES, topics.POSES))
        return names <= {end.node_name for found in ends for end in found}

    def watch_setpoints(self, robot: str) -> None:
        """Note every setpoint in the tracks from now on."""
        self._listen(FullState, topics.robot_name(robot, "cmd_full_state"), self._on_setpoint, DEEP)

    def strike(self, strike: Strike, timeout: float) -> None:
        """Ask the simulator for a fault. Raises ConfigError when it refuses."""
        request = InjectFault.Request(
            kind=strike.kind, after=strike.after, duration=strike.duration, value=strike.value,
            target=strike.target,
        )  # fmt: skip
        response = self._call(self._inject, request, timeout)
        if not response.success:
            raise ConfigError(response.message)

    def withdrawn(self, service: str, timeout: float) -> None:
        """Wait until nobody offers a service, and a little longer for the others to notice."""
        self.until(lambda: service not in dict(self._node.get_service_names_and_types()), timeout)
        self.spin(1.0)

    def load_policy(self, name: str) -> None:
        """Ask the policy node for another policy; see await_swap."""
        if LoadPolicy is None:
            return
        client = self._node.create_client(LoadPolicy, LOAD_SERVICE)
        if self.until(client.service_is_ready, 5.0):
            self._swap = client.call_async(LoadPolicy.Request(name=name))

    def await_swap(self, track: Track, timeout: float) -> None:
        """Wait for the policy node's answer, if it was asked, and note it."""
        swap, self._swap = self._swap, None
        if swap is not None and self.until(swap.done, timeout):
            answer: Any = swap.result()
            track.swap = None if answer is None else (bool(answer.success), str(answer.message))

    def spin(self, seconds: float) -> None:
        """Handle messages for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0.0:
            self._spin_once(min(left, 0.1))
        self._watch()

    def settle(self) -> None:
        """Handle what is still on its way after the end of an episode."""
        self.spin(QUIET)
        while time.monotonic() - self._track.heard < QUIET and not self._ended():
            self.spin(QUIET)

    def _ended(self) -> bool:
        return self._track.phase in (FlightPhase.LANDED.name, FlightPhase.FAULT.name)

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Handle messages until the condition holds; False after `timeout` [s]."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._spin_once(0.1)
            self._watch()
        return True

    def _spin_once(self, timeout: float) -> None:
        with interrupts_held():
            self._executor.spin_once(timeout_sec=timeout)

    def _call(self, client: Client, request: Any, timeout: float) -> Any:
        if not self.until(client.service_is_ready, timeout):
            raise ConfigError(
                f"nobody offers {client.srv_name} within {timeout:.0f} s; see the logs of the run"
            )
        future = client.call_async(request)
        if not self.until(future.done, timeout):
            raise ConfigError(
                f"no answer from {client.srv_name} within {timeout:.0f} s; see the logs of the run"
            )
        return future.result()

    def _on_result(self, message: EpisodeResult) -> None:
        track = self._track
        if (message.seed, message.episode) != (track.seed, track.episode) or track.verdict is not None:
            return
        if self._origin is None and not self._begins(message):
            return
        track.heard = time.monotonic()
        track.flown, track.distance, track.nearest = (
            float(message.steps),
            message.distance_to_goal,
            message.nearest_obstacle,
        )
        track.clearance.append((self._since_start(message.header.stamp), message.nearest_obstacle))
        if message.finished:
            track.verdict = Verdict(
                message.return_value,
                message.success,
                message.failure or None,
                message.final_distance,
                message.min_obstacle_distance,
            )

    def _begins(self, message: EpisodeResult) -> bool:
        """Whether this is the first report of the episode asked for; what comes before is of the last one."""
        stamp = _seconds(message.header.stamp)
        if message.finished or (stamp > FIRST if self._lock_step else stamp < self._asked):
            return False
        self._origin = 0.0 if self._lock_step else stamp
        return True

    def _on_state(self, message: FlightState) -> None:
        track = self._track
        if self._origin is None or (message.phase == track.phase and message.reason == track.reason):
            return
        track.phase, track.reason = message.phase, message.reason
        track.phases.append((self._since_start(message.header.stamp), message.phase, message.reason))
        why = f": {message.reason}" if message.reason else ""
        track.happened.append((self._since_start(message.header.stamp), f"{message.phase}{why}"))

    def _on_plan(self, message: Plan) -> None:
        self._track.tick_ms.append(float(message.tick_ms))

    def _on_truth(self, message: Odometry) -> None:
        if self._origin is None:
            return
        p, policy = message.pose.pose.position, float(self._track.phase == FlightPhase.POLICY.name)
        self._track.positions.append((self._since_start(message.header.stamp), p.x, p.y, p.z, policy))

    def _on_firmware(self, message: String) -> None:
        match = _EVENT.fullmatch(message.data)
        if match and self._origin is not None:
            self._track.firmware.append((float(match[1]), match[2]))
            self._track.happened.append((float(match[1]), f"firmware: {match[2]}"))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        """How many bags the recorder has closed."""
        for status in message.status:
            if status.name.startswith(topics.RECORDER_NODE):
                told = {entry.key: entry.value for entry in status.values}
                self.bags = int(told.get("bags", "0"))

    def _since_start(self, stamp: Time) -> float:
        """Seconds since the episode's time 0: of simulated stamps the stamp, of wall stamps what is past the
        origin."""
        return _seconds(stamp) - (self._origin or 0.0)


    def _on_setpoint(self, message: FullState) -> None:
        if self._origin is None:
            return
        p, v, a, w = message.pose.position, message.twist.linear, message.acc, message.twist.angular
        q = message.pose.orientation
        other = max((abs(x) for x in (q.x, q.y, q.z, q.w, w.x, w.y, w.z)), key=_nan_first)
        row = (self._since_start(message.header.stamp), p.x, p.y, p.z, v.x, v.y, v.z, a.x, a.y, a.z, other)
        self._track.setpoints.append(row)


def _nan_first(value: float) -> float:
    return float("inf") if value != value else value


def _seconds(stamp: Time) -> float:
    return stamp.sec + stamp.nanosec / 1e9
