"""Messages that nobody should send, and a flight into which they are thrown. No graph is needed."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from crazyflie_interfaces.msg import Status
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
from deqmpc_policy_node.pose_sources import frame_of_pose, frame_of_rigid_bodies
from tests.flight.robot import LEVEL, Robot, noise, packet_at

BASE = TimeBase(lock_step=True)
NASTY = (
    float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e308, -1e308, 5e-324, 1e300, 32.768, -32.769,
    1e-9, 101.0, 2.0**53, -1.0,
)  # fmt: skip
QUICK = CommanderConfig(
    ready_time=0.0, takeoff_duration=0.5, goto_duration=0.5, goto_speed=2.0, settle_time=0.0, deadman=True
)
AROUND = Surroundings([], "/rigid_bodies", 1, 1, "/deqmpc/plan_request", "cf1", [])
NAMES = ("cf1", "cf1", "cf1", "", "1", "CF1", "cf2", "\x00", "ü" * 50)
FRAMES = ("map", "map", "map", "", "world", "mocap")


class Flight(Robot):
    """A robot on its way, fed with wild messages between its own poses and plans; judges what leaves."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.inputs = Inputs(BASE, "cf1", "")
        super().__init__(QUICK, steps=1000)
        self.fence = Fence(QUICK)
        while self.commander.phase is not FlightPhase.POLICY:
            self.tick()
        self.tick()

    def tick(self) -> list:
        self.commander.on_deadman(True, self.t)
        commands = super().tick()
        for command in commands:
            if isinstance(command, SendSetpoint):
                self.check(command)
                self.position = self.target = command.setpoint.position
        self.sent.clear()
        return commands

    def _plan(self, t: float) -> None:
        if self.commander.wants_plan(t):
            self.commander.on_plan(packet_at(t, self.position), t)

    def check(self, command: SendSetpoint) -> None:
        s = command.setpoint
        assert s.is_finite() and self.fence.inner.holds(s.position), s
        assert np.linalg.norm(s.velocity) <= QUICK.max_speed + 1e-9, s
        assert np.linalg.norm(s.acceleration) <= QUICK.max_acceleration + 1e-9, s
        assert np.abs([*s.position, *s.velocity, *s.acceleration]).max() <= WIRE_LIMIT, s

    @property
    def over(self) -> bool:
        assert self.commander.phase in FlightPhase and isinstance(self.commander.reason, str)
        return self.commander.phase not in (FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY)

    def number(self, near: float = 0.0) -> float:
        """Mostly near what is expected, else nasty or huge."""
        chance = self.rng.random()
        if chance < 0.75:
            return near + self.rng.gauss(0.0, 0.02)
        return (
            self.rng.choice(NASTY) if chance < 0.9 else self.rng.gauss(0.0, 10.0 ** self.rng.randint(-3, 12))
        )

    def stamp(self, message: Any) -> None:
        chance = self.rng.random()
        if chance < 0.8:
            message.header.stamp = BASE.stamp(max(self.t + self.rng.gauss(0.0, 0.02), 0.0))
        elif chance < 0.95:
            message.header.stamp.sec = self.rng.choice((-(2**31), 2**31 - 1, 0, -1, 7))
            message.header.stamp.nanosec = self.rng.choice((0, 2**32 - 1, 999_999_999))

    def point(self, kind: Any, near: np.ndarray) -> Any:
        return kind(x=self.number(near[0]), y=self.number(near[1]), z=self.number(near[2]))

    def pose(self) -> Pose:
        q = [self.number(v) for v in LEVEL] if self.rng.random() < 0.3 else LEVEL.tolist()
        place = self.point(Point, self.position)
        return Pose(position=place, orientation=Quaternion(x=q[0], y=q[1], z=q[2], w=q[3]))

    def rigid_bodies(self) -> None:
        message = RigidBodies(frame_number=self.rng.randrange(2**32))
        self.stamp(message)
        message.header.frame_id = self.rng.choice(FRAMES)
        for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3))):
            message.rigidbodies.append(RigidBody(rigid_body_name=self.rng.choice(NAMES), pose=self.pose()))
        self.take(frame_of_rigid_bodies(message, 0, BASE))

    def pose_stamped(self) -> None:
        message = PoseStamped(pose=self.pose())
        self.stamp(message)
        message.header.frame_id = self.rng.choice(FRAMES)
        self.take(frame_of_pose(message, self.rng.randrange(2**32), BASE))

    def take(self, frame: Any) -> None:
        sample = self.inputs.pose(frame)
        if sample is not None:
            self.commander.on_pose(sample, self.t)

    def plan(self) -> None:
        rng, knots = self.rng, self.rng.choice((7, 7, 7, 7, 2, 1, 0))
        place, rest = np.tile(self.position, (knots, 1)), np.zeros((knots, 3))
        packet = PlanPacket(self.t, 0.1, place, rest, rest, np.zeros(knots), 0, 0, 0)
        message = plan_message(packet, PlanDetails("wild", np.zeros((1, 12)), np.zeros((1, 4))), BASE)
        if rng.random() < 0.3:
            self.stamp(message)
        message.dt = self.number(0.1) if rng.random() < 0.2 else 0.1
        message.violation = float(np.float32(rng.choice((0.0, 0.0, 1.0, float("nan")))))
        for name, kind in (("position", Point), ("velocity", Vector3), ("acceleration", Vector3)):
            rows = getattr(message, name)
            for _ in range(rng.choice((0, 0, 1, 3)) if rows else 0):
                rows[rng.randrange(len(rows))] = self.point(kind, self.position if kind is Point else rest[0])
            if rng.random() < 0.05:
                rows.extend([kind()] * rng.randrange(3))
        if knots and rng.random() < 0.2:
            message.yaw[rng.randrange(knots)] = self.number()
        self.inputs.plan(self.commander, message, self.t)

    def status(self) -> None:
        rng = self.rng
        volts = rng.choice((4.0, 4.0, 3.0, 0.0, float("nan"), float("inf"), -1.0))
        bits = rng.choice((0, 2 | 8 | 16)) if rng.random() < 0.98 else rng.randrange(2**16)
        power = rng.choice((0, 1, 2)) if rng.random() < 0.98 else rng.randrange(256)
        message = Status(battery_voltage=volts, supervisor_info=bits, pm_state=power)
        self.inputs.status(self.commander, message, self.t)

    def deadman(self) -> None:
        held = self.rng.random() < 0.98
        self.inputs.deadman(self.commander, Bool(data=held), self.t)

    def start(self) -> None:
        rng = self.rng
        place = Point(x=self.number(1.0), y=self.number(0.0), z=self.number(1.0))
        request = StartFlight.Request(start=place, policy_period=self.number(0.1))
        request.policy_steps = rng.choice((0, 1, 200, 2**32 - 1, rng.randrange(2**32)))
        for check in checklist(self.commander, AROUND, self.t, flight_request(request)):
            assert isinstance(str(check), str)

    def obstacles(self) -> None:
        k = self.rng.randrange(4)
        centers = np.array([[self.number(), self.number(), self.number(1.0)] for _ in range(k)])
        radii = np.abs([self.number(0.1) for _ in range(self.rng.choice((1, k, k + 1)))])
        assert isinstance(self.inputs.obstacles(self.commander, centers, radii), str)


HANDLERS: dict[str, Callable[[Flight], None]] = {
    "rigid_bodies": Flight.rigid_bodies, "pose_stamped": Flight.pose_stamped, "plan": Flight.plan,
    "status": Flight.status, "deadman": Flight.deadman, "start": Flight.start, "obstacles": Flight.obstacles,
}  # fmt: skip


def throw(handler: str, seed: int, count: int, every: int = 5) -> int:
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
