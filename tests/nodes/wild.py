"""Messages that nobody should send, and a flight into which they are thrown. No graph is needed."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from crazyflie_interfaces.msg import Status
from deqmpc_interfaces.msg import Obstacles, Plan
from deqmpc_interfaces.srv import StartFlight
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Vector3
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from std_msgs.msg import Bool

from deqmpc_core.flight import CommanderConfig, FlightPhase, PlanPacket, SendSetpoint
from deqmpc_core.flight.fence import Fence
from deqmpc_core.flight.preflight import Surroundings, checklist
from deqmpc_core.flight.trajectory import WIRE_LIMIT
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import PlanDetails, plan_message
from deqmpc_policy_node.inputs import Inputs, flight_request
from deqmpc_policy_node.pose_sources import PoseFrame, frame_of_pose, frame_of_rigid_bodies
from tests.flight.robot import LEVEL, START, Robot, noise, packet_at

BASE = TimeBase(lock_step=True)
NASTY = (
    float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e308, -1e308, 5e-324, 1e300, 32.768, -32.769,
    1e-9, 101.0, 2.0**53, -1.0,
)  # fmt: skip
QUICK = CommanderConfig(
    ready_time=0.6, takeoff_duration=0.5, goto_duration=0.5, goto_speed=2.0, settle_time=0.0, deadman=True
)
FENCE = Fence(QUICK)
AROUND = Surroundings([], "/rigid_bodies", 1, 1, "/deqmpc/plan_request", "cf1", [])
NAMES = ("cf1", "cf1", "cf1", "", "1", "CF1", "cf2", "\x00", "ü" * 50)
FRAMES = ("map", "map", "map", "", "world", "mocap")


class Wild:
    """Makes messages: mostly near what is expected, else nasty, huge or misshapen."""

    def __init__(self, rng: random.Random, base: TimeBase) -> None:
        self.rng, self.base = rng, base
        self.t, self.place = 0.0, np.zeros(3)

    def number(self, near: float = 0.0) -> float:
        chance = self.rng.random()
        if chance < 0.75:
            return near + self.rng.gauss(0.0, 0.02)
        return (
            self.rng.choice(NASTY) if chance < 0.9 else self.rng.gauss(0.0, 10.0 ** self.rng.randint(-3, 12))
        )

    def stamped(self, message: Any) -> Any:
        chance = self.rng.random()
        if chance < 0.8:
            message.header.stamp = self.base.stamp(max(self.t + self.rng.gauss(0.0, 0.02), 0.0))
        elif chance < 0.95:
            message.header.stamp.sec = self.rng.choice((-(2**31), 2**31 - 1, 0, -1, 7))
            message.header.stamp.nanosec = self.rng.choice((0, 2**32 - 1, 999_999_999))
        return message

    def point(self, kind: Any, near: np.ndarray) -> Any:
        return kind(x=self.number(near[0]), y=self.number(near[1]), z=self.number(near[2]))

    def pose(self) -> Pose:
        q = [self.number(v) for v in LEVEL] if self.rng.random() < 0.3 else LEVEL.tolist()
        place = self.point(Point, self.place)
        return Pose(position=place, orientation=Quaternion(x=q[0], y=q[1], z=q[2], w=q[3]))

    def rigid_bodies(self) -> RigidBodies:
        message = self.stamped(RigidBodies(frame_number=self.rng.randrange(2**32)))
        message.header.frame_id = self.rng.choice(FRAMES)
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3))):
            message.rigidbodies.append(RigidBody(rigid_body_name=self.rng.choice(NAMES), pose=self.pose()))
        return message

    def pose_stamped(self) -> PoseStamped:
        message = self.stamped(PoseStamped(pose=self.pose()))
        message.header.frame_id = self.rng.choice(FRAMES)
        return message

    def plan(self) -> Plan:
        rng, knots = self.rng, self.rng.choice((7, 7, 7, 7, 2, 1))
        place, rest = np.tile(self.place, (knots, 1)), np.zeros((knots, 3))
        packet = PlanPacket(self.t, 0.1, place, rest, rest, np.zeros(knots), 0, 0, 0)
        message = plan_message(packet, PlanDetails("wild", np.zeros((1, 12)), np.zeros((1, 4))), self.base)
        message.horizon = knots - 1 if rng.random() < 0.9 else rng.randrange(2**32)
        message = self.stamped(message) if rng.random() < 0.3 else message
        message.dt = self.number(0.1) if rng.random() < 0.2 else 0.1
        message.violation = float(np.float32(rng.choice((0.0, 0.0, 1.0, float("nan")))))
        for name, kind in (("position", Point), ("velocity", Vector3), ("acceleration", Vector3)):
            rows, near = getattr(message, name), self.place if kind is Point else np.zeros(3)
            for _ in range(rng.choice((0, 0, 1, 3)) if rows else 0):
                rows[rng.randrange(len(rows))] = self.point(kind, near)
            if rng.random() < 0.05:
                rows.extend([kind()] * rng.randrange(3))
            if rng.random() < 0.02:
                rows.clear()
        if rng.random() < 0.2:
            message.yaw[rng.randrange(knots)] = self.number()
        return message

    def status(self) -> Status:
        rng = self.rng
        volts = float(np.float32(rng.choice((4.0, 4.0, 3.0, 0.0, float("nan"), float("inf"), -1.0))))
        bits = rng.choice((0, 2 | 8 | 16)) if rng.random() < 0.98 else rng.randrange(2**16)
        power = rng.choice((0, 1, 2)) if rng.random() < 0.98 else rng.randrange(256)
        return Status(battery_voltage=volts, supervisor_info=bits, pm_state=power)

    def own_pose(self) -> PoseStamped:
        return self.pose_stamped()

    def deadman(self) -> Bool:
        return Bool(data=self.rng.random() < 0.98)

    def start(self) -> StartFlight.Request:
        place = Point(x=self.number(1.0), y=self.number(0.0), z=self.number(1.0))
        request = StartFlight.Request(start=place, policy_period=self.number(0.1))
        request.policy_steps = self.rng.choice((0, 1, 200, 2**32 - 1, self.rng.randrange(2**32)))
        return request

    def obstacles(self) -> Obstacles:
        k, far = self.rng.randrange(4), np.array([0.0, 1.4, 1.0])
        message = Obstacles(centers=[self.point(Point, far) for _ in range(k)])
        message.velocities = [self.point(Vector3, np.zeros(3)) for _ in range(self.rng.choice((0, k, k + 1)))]
        message.radii = [self.number(0.1) for _ in range(self.rng.choice((1, k, k + 1)))]
        return self.stamped(message)


def check(sent: SendSetpoint) -> None:
    """A setpoint that may leave."""
    s = sent.setpoint
    assert s.is_finite() and FENCE.inner.holds(s.position), s
    assert np.linalg.norm(s.velocity) <= QUICK.max_speed + 1e-9, s
    assert np.linalg.norm(s.acceleration) <= QUICK.max_acceleration + 1e-9, s
    assert np.abs([*s.position, *s.velocity, *s.acceleration]).max() <= WIRE_LIMIT, s


class Flight(Robot):
    """A robot on its way, fed with wild messages between its own poses and plans; judges what leaves."""

    def __init__(self, rng: random.Random) -> None:
        self.wild, self.inputs = Wild(rng, BASE), Inputs(BASE, "cf1", "")
        super().__init__(QUICK, steps=1000)
        self.position = START * [1.0, 1.0, 0.0]
        while self.commander.phase is not FlightPhase.POLICY:
            self.tick()
        self.tick()

    def tick(self) -> list:
        self.commander.on_deadman(True, self.t)
        commands = super().tick()
        for command in commands:
            if isinstance(command, SendSetpoint):
                check(command)
                self.position = self.target = command.setpoint.position
        self.sent.clear()
        self.wild.t, self.wild.place = self.t, self.position
        return commands

    def _plan(self, t: float) -> None:
        if self.commander.wants_plan(t):
            self.commander.on_plan(packet_at(t, self.position), t)

    @property
    def over(self) -> bool:
        assert self.commander.phase in FlightPhase and isinstance(self.commander.reason, str)
        return self.commander.phase not in (FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY)

    def take(self, frame: PoseFrame) -> None:
        sample = self.inputs.pose(frame)
        if sample is not None:
            self.commander.on_pose(sample, self.t)

    def rigid_bodies(self) -> None:
        self.take(frame_of_rigid_bodies(self.wild.rigid_bodies(), 0, BASE))

    def pose_stamped(self) -> None:
        self.take(frame_of_pose(self.wild.pose_stamped(), 1, BASE))

    def plan(self) -> None:
        self.inputs.plan(self.commander, self.wild.plan(), self.t)

    def status(self) -> None:
        self.inputs.status(self.commander, self.wild.status(), self.t)

    def own_pose(self) -> None:
        self.inputs.own_pose(self.commander, self.wild.own_pose(), self.t)

    def deadman(self) -> None:
        self.inputs.deadman(self.commander, self.wild.deadman(), self.t)

    def start(self) -> None:
        request = flight_request(self.wild.start())
        assert all(isinstance(str(c), str) for c in checklist(self.commander, AROUND, self.t, request))

    def obstacles(self) -> None:
        assert isinstance(self.inputs.obstacles(self.commander, self.wild.obstacles(), self.t), str)


HANDLERS: dict[str, Callable[[Flight], None]] = {
    "rigid_bodies": Flight.rigid_bodies, "pose_stamped": Flight.pose_stamped, "plan": Flight.plan,
    "status": Flight.status, "deadman": Flight.deadman, "start": Flight.start, "obstacles": Flight.obstacles,
    "own_pose": Flight.own_pose,
}  # fmt: skip


def throw(handler: str, seed: int, count: int, every: int = 10) -> int:
    """Throw `count` messages at a handler, a tick after each `every`; the number of setpoints that left."""
    rng, act = random.Random(f"{handler} {seed}"), HANDLERS[handler]
    flight, setpoints = Flight(rng), 0
    for k in range(count):
        act(flight)
        if k % every == every - 1:
            setpoints += sum(isinstance(command, SendSetpoint) for command in flight.tick())
            flight.position = flight.position + noise(k)
        if flight.over:
            flight = Flight(rng)
    return setpoints
