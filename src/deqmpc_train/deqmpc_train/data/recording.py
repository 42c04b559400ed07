"""A rosbag2 recording of our nodes, read without ROS: poses, plans, estimates, verdicts as plain values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.highlevel import AnyReader

from deqmpc_core.errors import DataError
from deqmpc_core.flight import Estimate, PoseSample
from deqmpc_train.data.episodes import Array

RIGID_BODIES, PLAN, ESTIMATE = "/rigid_bodies", "/deqmpc/plan", "/deqmpc/estimate"
STEP, EPISODE_RESULT = "/deqmpc/step", "/deqmpc/episode_result"
NEEDED = {
    RIGID_BODIES: ("mocap4r2_msgs/msg/RigidBodies", ("header", "frame_number", "rigidbodies")),
    PLAN: ("deqmpc_interfaces/msg/Plan", ("header", "dt", "sequence", "frame_number", "n", "m", "x", "u")),
    ESTIMATE: ("deqmpc_interfaces/msg/Estimate", ("header", "frame_number", "pose", "twist")),
}
OPTIONAL = {
    STEP: ("deqmpc_interfaces/msg/Step", ("stamp", "frame_number")),
    EPISODE_RESULT: ("deqmpc_interfaces/msg/EpisodeResult", ("finished", "failure")),
}
_NANOSECONDS = 1_000_000_000
_ACTIVE = ".active"


@dataclass(frozen=True)
class Tick:
    """One plan and the estimate behind it.

    estimate: as the node published it. u (T, m): the plan's controls, the first from stamp + dt on. skipped:
    frames that the node never got since the tick before. received [ns]: wall time of the recorder.
    """

    stamp: float
    dt: float
    sequence: int
    u: Array
    estimate: Estimate
    skipped: tuple[int, ...]
    received: int


@dataclass
class Recording:
    """frames by rising number; ticks as they came; restarts: a fresh estimator begins after these frame
    numbers; verdicts: (received [ns], reason of failure or "") of the flights; notes: the bag's custom_data.
    """

    frames: list[PoseSample] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    verdicts: list[tuple[int, str]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def read_recording(bag: Path, body: str = "") -> Recording:
    """A bag's recording. body: the rigid body's name, by default the only one there is.

    Raises DataError with the reason where the bag is cut off, or its topics, types or contents do not fit.
    """
    if bag.name.endswith(_ACTIVE):
        raise DataError("cut off while it was recorded: the recorder never closed it")
    try:
        with AnyReader([bag]) as reader:
            _check_topics(reader)
            messages = {topic: list(_messages(reader, topic)) for topic in (*NEEDED, *OPTIONAL)}
            return _recording(messages, _notes(reader), body)
    except DataError:
        raise
    except Exception as error:  # a damaged file can make its reader fail in any way
        detail = str(error) or type(error).__name__
        raise DataError(f"cut off in the middle, or damaged: {detail.splitlines()[0]}") from error


def _check_topics(reader: AnyReader) -> None:
    types = {c.topic: c.msgtype for c in reader.connections}
    for topic, (type_name, names) in {**NEEDED, **OPTIONAL}.items():
        if topic not in types:
            if topic in OPTIONAL:
                continue
            raise DataError(f"topic {topic} is missing; recorded are {', '.join(sorted(types)) or 'none'}")
        if types[topic] != type_name:
            raise DataError(f"topic {topic}: expected type {type_name}, got {types[topic]}")
        known = {name for name, _ in reader.typestore.fielddefs[type_name][1]}
        lacking = [name for name in names if name not in known]
        if lacking:
            raise DataError(f"topic {topic}: its type {type_name} has no field '{lacking[0]}'")


def _messages(reader: AnyReader, topic: str) -> Iterator[tuple[int, Any]]:
    """(received [ns], message) of a topic; fewer than the bag counts are a DataError."""
    connections = [c for c in reader.connections if c.topic == topic]
    count = 0
    for connection, received, data in reader.messages(connections) if connections else ():
        count += 1
        yield received, reader.deserialize(data, connection.msgtype)
    expected = sum(c.msgcount for c in connections)
    if count != expected:
        raise DataError(f"cut off in the middle: topic {topic} holds {count} of {expected} messages")


def _notes(reader: AnyReader) -> dict[str, str]:
    metadata = getattr(getattr(reader.readers[0], "storage", None), "metadata", None)
    return {str(k): str(v) for k, v in (getattr(metadata, "custom", None) or {}).items()}


def _recording(messages: dict[str, list[tuple[int, Any]]], notes: dict[str, str], body: str) -> Recording:
    poses = [message for _, message in messages[RIGID_BODIES]]
    body = body or _only_body(poses)
    seconds = _clock(poses, lock_step=bool(messages[STEP]))
    recording = Recording(notes=notes)
    recording.frames = [s for m in poses if (s := _sample(m, body, seconds)) is not None]
    numbers = np.array([f.frame_number for f in recording.frames])
    if not len(numbers) or (np.diff(numbers) <= 0).any():
        raise DataError(f"topic {RIGID_BODIES}: frame numbers of body '{body}' do not rise")
    recording.restarts = _restarts([message for _, message in messages[STEP]])
    recording.ticks = _ticks(messages[PLAN], messages[ESTIMATE], seconds)
    recording.verdicts = [(t, m.failure) for t, m in messages[EPISODE_RESULT] if m.finished]
    return recording


def _only_body(poses: list[Any]) -> str:
    names = sorted({b.rigid_body_name for m in poses for b in m.rigidbodies})
    if len(names) != 1:
        seen = ", ".join(names) or "none"
        raise DataError(f"topic {RIGID_BODIES}: expected one rigid body, got {seen}; say which with --body")
    return names[0]


def nanoseconds(stamp: Any) -> int:
    """Integer nanoseconds of a ROS stamp."""
    return stamp.sec * _NANOSECONDS + stamp.nanosec


def _clock(poses: list[Any], lock_step: bool) -> Callable[[Any], float]:
    """Seconds of a stamp as the nodes count them: simulated stamps from 0, wall stamps from an epoch, so that
    floats keep the nanoseconds."""
    epoch = 0 if lock_step or not poses else nanoseconds(poses[0].header.stamp)
    return lambda stamp: (nanoseconds(stamp) - epoch) / _NANOSECONDS


def _sample(message: Any, body: str, seconds: Callable[[Any], float]) -> PoseSample | None:
    for rigid_body in message.rigidbodies:
        if rigid_body.rigid_body_name == body:
            place, turn = _pose(rigid_body.pose)
            return PoseSample(seconds(message.header.stamp), int(message.frame_number), place, turn)
    return None


def _pose(pose: Any) -> tuple[Array, Array]:
    place, turn = pose.position, pose.orientation
    return np.array([place.x, place.y, place.z]), np.array([turn.x, turn.y, turn.z, turn.w])


def _restarts(steps: list[Any]) -> list[int]:
    """The last old frame at each first step of an episode: time has gone back, or no step came before."""
    before = -1
    found = []
    for step in steps:
        now = nanoseconds(step.stamp)
        if now < before or before < 0:
            found.append(int(step.frame_number))
        before = now
    return found


def _ticks(
    plans: list[tuple[int, Any]], estimates: list[tuple[int, Any]], seconds: Callable[[Any], float]
) -> list[Tick]:
    """Plans with their estimates; a plan without one (the bag began or ended between) is left out."""
    known = {_key(message): message for _, message in estimates}
    return [_tick(t, plan, known[_key(plan)], seconds) for t, plan in plans if _key(plan) in known]


def _key(message: Any) -> tuple[int, int]:
    return nanoseconds(message.header.stamp), int(message.frame_number)


def _tick(received: int, plan: Any, estimate: Any, seconds: Callable[[Any], float]) -> Tick:
    stamp = seconds(plan.header.stamp)
    place, turn = _pose(estimate.pose)
    linear, angular = estimate.twist.linear, estimate.twist.angular
    velocity, omega = (np.array([v.x, v.y, v.z]) for v in (linear, angular))
    told = Estimate(
        stamp, int(estimate.frame_number), place, turn, velocity, omega, np.full(3, np.nan), np.nan
    )
    u = np.array(plan.u, dtype=np.float64).reshape(-1, max(int(plan.m), 1))
    skipped = tuple(int(k) for k in getattr(estimate, "skipped", ()))
    return Tick(stamp, float(plan.dt), int(plan.sequence), u, told, skipped, received)
