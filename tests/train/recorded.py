"""Bags as the recorder leaves them, of a body on a smooth path and a node that estimates it; no ROS."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from deqmpc_core.flight import Estimate, FrameLog, PoseSample, StateEstimator
from deqmpc_core.flight.frames import quaternion_from_rotation_vector

ROOT = Path(__file__).resolve().parents[2]
NS, DT, LATENCY, FIRST = 1_000_000_000, 0.1, 0.01, 1.0
WALL = 1_700_000_000 * NS
TYPES = {
    "/rigid_bodies": "mocap4r2_msgs/msg/RigidBodies",
    "/deqmpc/plan": "deqmpc_interfaces/msg/Plan",
    "/deqmpc/estimate": "deqmpc_interfaces/msg/Estimate",
    "/deqmpc/step": "deqmpc_interfaces/msg/Step",
    "/deqmpc/episode_result": "deqmpc_interfaces/msg/EpisodeResult",
}


def typestore() -> Any:
    store = get_typestore(Stores.ROS2_JAZZY)
    for path in (ROOT / "src" / "interfaces").glob("**/msg/*.msg"):
        store.register(get_types_from_msg(path.read_text(), f"{path.parts[-3]}/msg/{path.stem}"))
    return store


STORE = typestore()


@cache
def _definition(type_name: str) -> dict[str, Any]:
    text, _ = STORE.generate_msgdef(type_name, ros_version=2)
    return {"msgdef": text, "rihs01": STORE.hash_rihs01(type_name)}


def path_at(t: float, flight: int) -> tuple[np.ndarray, np.ndarray]:
    """Position [m] near the goal, attitude."""
    place = np.array([0.1 * np.sin(t + flight), 0.1 * np.cos(1.3 * t), 1.0 + 0.05 * np.sin(2.0 * t)])
    return place, quaternion_from_rotation_vector(0.1 * np.array([np.sin(t), np.cos(2 * t), np.sin(0.5 * t)]))


@dataclass
class Bag:
    """What to record, and what the node knew: its estimates and plans' controls, by flight and tick."""

    flights: int = 2
    ticks: int = 8
    lock_step: bool = True
    lost: tuple[int, ...] = ()  # frames that the node never gets
    tell: bool = True  # whether it says so
    missed: tuple[int, ...] = ()  # ticks without a plan
    bodies: tuple[str, ...] = ("cf1",)
    dt: float = DT
    shift: float = 0.0  # m, of the estimates told
    verdict: str | None = ""
    leave_out: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=lambda: {"task": "crazyflie", "policy": "goal-mpc"})
    estimates: list[list[Estimate]] = field(default_factory=list)
    controls: list[list[np.ndarray]] = field(default_factory=list)

    def write(self, directory: Path) -> "Bag":
        events: list[tuple[int, str, Any]] = []
        self._frame, self._now, self._estimator, self._log = 0, 0.0, StateEstimator(), FrameLog()
        for flight in range(self.flights):
            self._fly(flight, events)
        with Writer(directory, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            for key, value in self.notes.items():
                writer.set_custom_data(key, value)
            types = {t: n for t, n in (TYPES | self.types).items() if t not in self.leave_out}
            links = {t: writer.add_connection(t, n, **_definition(n)) for t, n in types.items()}
            for received, topic, message in sorted(events, key=lambda e: e[0]):
                if topic not in self.types and topic in links:
                    data = STORE.serialize_cdr(message, TYPES[topic])
                    writer.write(links[topic], received, data)
        return self

    def _fly(self, flight: int, events: list[tuple[int, str, Any]]) -> None:
        """Time stands at self._now since the beginning; in lock-step the stamps of a flight begin at 0."""
        begin = self._now
        origin = 0 if self.lock_step else WALL + round(begin * NS)
        epoch = 0 if self.lock_step else WALL - 7_123_456_789  # the node's own
        if self.lock_step:
            self._estimator = StateEstimator()
        last_tick = FIRST + self.ticks * DT
        waiting: list[PoseSample] = []
        estimates, controls = [], []
        rng = np.random.default_rng(flight)
        ticks = {100 + 10 * j: j for j in range(self.ticks)}  # by hundredth of a second
        for k in range(round(100 * (last_tick + 0.3))):
            t = 0.01 * k
            while waiting and waiting[0].stamp <= t - LATENCY + 1e-6:
                self._arrive(waiting.pop(0), origin, epoch, begin, events)
            if self.lock_step and k % 10 == 0:
                wall = WALL + round((begin + t) * NS) - 2
                events.append((wall, "/deqmpc/step", self._step(round(t * NS))))
            if k in ticks and ticks[k] not in self.missed:
                jitter = 0 if self.lock_step else int(rng.integers(0, 3_000_000))
                stamp = origin + round(t * NS) + jitter
                estimate = self._estimator.estimate((stamp - epoch) / NS)
                assert estimate is not None
                u = rng.uniform(0.02, 0.12, (5, 4))
                self._publish(stamp, ticks[k], estimate, u, WALL + round((begin + t) * NS) + jitter, events)
                estimates.append(estimate)
                controls.append(u)
            self._frame += 1
            waiting.append(PoseSample(t, self._frame, *path_at(t, flight)))
        if self.verdict is not None and self.lock_step:
            result = self._result()
            events.append((WALL + round((begin + last_tick + 0.2) * NS), "/deqmpc/episode_result", result))
        self.estimates.append(estimates)
        self.controls.append(controls)
        self._now += last_tick + 0.3

    def _arrive(
        self, sample: PoseSample, origin: int, epoch: int, begin: float, events: list[tuple[int, str, Any]]
    ) -> None:
        stamp = origin + round(sample.stamp * NS)
        wall = WALL + round((begin + sample.stamp + LATENCY) * NS) - 1
        events.append((wall, "/rigid_bodies", self._bodies(stamp, sample)))
        if sample.frame_number not in self.lost:
            self._log.took(sample.frame_number)
            seen = PoseSample((stamp - epoch) / NS, sample.frame_number, sample.position, sample.quaternion)
            self._estimator.update(seen)

    def _publish(
        self, stamp: int, tick: int, estimate: Estimate, u: np.ndarray, wall: int,
        events: list[tuple[int, str, Any]],
    ) -> None:  # fmt: skip
        make = STORE.types
        skipped = np.array(self._log.skipped() if self.tell else [], dtype=np.uint32)
        pose = self._pose(estimate.position + self.shift, estimate.quaternion)
        vector = make["geometry_msgs/msg/Vector3"]
        twist = make["geometry_msgs/msg/Twist"](vector(*estimate.velocity), vector(*estimate.omega))
        told = make[TYPES["/deqmpc/estimate"]](
            self._header(stamp), estimate.frame_number, skipped, pose, twist
        )
        plan = make[TYPES["/deqmpc/plan"]](
            self._header(stamp), self.dt, 5, tick, estimate.frame_number, [], [], [], np.zeros(0), [], 12, 4,
            np.zeros(72), u.ravel(), "goal-mpc", 0, tick > 0, 0.0, 0.0, 0.0, 0.0,
        )  # fmt: skip
        events += [(wall, "/deqmpc/estimate", told), (wall + 1, "/deqmpc/plan", plan)]

    def _time(self, stamp: int) -> Any:
        return STORE.types["builtin_interfaces/msg/Time"](stamp // NS, stamp % NS)

    def _header(self, stamp: int) -> Any:
        return STORE.types["std_msgs/msg/Header"](self._time(stamp), "world")

    def _pose(self, place: np.ndarray, turn: np.ndarray) -> Any:
        make = STORE.types
        return make["geometry_msgs/msg/Pose"](
            make["geometry_msgs/msg/Point"](*place), make["geometry_msgs/msg/Quaternion"](*turn)
        )

    def _bodies(self, stamp: int, sample: PoseSample) -> Any:
        make = STORE.types
        pose = self._pose(sample.position, sample.quaternion)
        bodies = [make["mocap4r2_msgs/msg/RigidBody"](name, [], pose) for name in self.bodies]
        return make[TYPES["/rigid_bodies"]](self._header(stamp), sample.frame_number, bodies)

    def _step(self, stamp: int) -> Any:
        return STORE.types[TYPES["/deqmpc/step"]](self._time(stamp), self._frame)

    def _result(self) -> Any:
        return STORE.types[TYPES["/deqmpc/episode_result"]](
            self._header(0), 0, 0, True, 1.0, not self.verdict, self.verdict, 0.1, 0.1, self.ticks, 0.1, 0.1
        )
