"""What a report tells of a recorded flight, read from its bag without ROS."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader

from deqmpc_core.errors import DataError
from deqmpc_core.types import Status

Array = NDArray[np.float64]
TRUTH, ESTIMATE, PLAN = "/deqmpc/truth", "/deqmpc/estimate", "/deqmpc/plan"
STATE, RESULT, SET, INFO = (
    "/deqmpc/flight_state", "/deqmpc/episode_result", "/deqmpc/obstacle_set", "/deqmpc_policy/solve_info",
)  # fmt: skip
FIRMWARE = "/deqmpc/firmware"
_WANTED = (TRUTH, ESTIMATE, PLAN, STATE, RESULT, SET, INFO, FIRMWARE)


@dataclass
class Recorded:
    """Times in s since the first stamp. path and estimate: rows (t, x, y, z), world [m]; ticks: rows (t,
    tick, network, solver [ms], violation); phases: (t, phase, reason); clearance: rows (t, m to the nearest
    surface); obstacles: the last set (k, 4), centre and radius [m]; statuses: solves by how they ended;
    policies: who planned, by plans; firmware: what it did, in words; topics: (name, type, messages); notes:
    the bag's custom_data."""

    path: Array
    estimate: Array
    ticks: Array
    phases: list[tuple[float, str, str]]
    clearance: Array
    obstacles: Array
    statuses: Counter[str] = field(default_factory=Counter)
    policies: Counter[str] = field(default_factory=Counter)
    firmware: list[str] = field(default_factory=list)
    topics: list[tuple[str, str, int]] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    late: int = 0
    size: int = 0
    seconds: float = 0.0


def bags(run: Path) -> list[Path]:
    """The run's recordings in the order of its flights: bag, bag_2, bag_3, ..."""
    found = [file.parent for file in run.glob("bag*/metadata.yaml")]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def read(bag: Path) -> Recorded:
    """One recording. Raises DataError where it is cut off or damaged."""
    try:
        with AnyReader([bag]) as reader:
            messages: dict[str, list[Any]] = {topic: [] for topic in _WANTED}
            wanted = [c for c in reader.connections if c.topic in messages]
            for connection, _, data in reader.messages(wanted) if wanted else ():
                messages[connection.topic].append(reader.deserialize(data, connection.msgtype))
            topics = [(c.topic, c.msgtype, c.msgcount) for c in reader.connections]
            metadata = getattr(getattr(reader.readers[0], "storage", None), "metadata", None)
            seconds = reader.duration / 1e9
    except Exception as error:  # a damaged file can make its reader fail in any way
        detail = str(error) or type(error).__name__
        raise DataError(f"'{bag}' cannot be read: {detail.splitlines()[0]}; deqmpc data repair") from error
    recorded = _recorded(messages)
    recorded.topics, recorded.seconds = sorted(topics), seconds
    recorded.notes = {str(k): str(v) for k, v in (getattr(metadata, "custom", None) or {}).items()}
    recorded.size = sum(file.stat().st_size for file in bag.rglob("*") if file.is_file())
    return recorded


def _recorded(messages: dict[str, list[Any]]) -> Recorded:
    stamped = [m for topic, rows in messages.items() if topic not in (SET, FIRMWARE) for m in rows]
    begin = min((_seconds(m) for m in stamped), default=0.0)

    def rows(topic: str, width: int, row: Any) -> Array:
        found = [(_seconds(m) - begin, *row(m)) for m in messages[topic]]
        return np.array(found, dtype=float).reshape(-1, width)

    plan = rows(PLAN, 5, lambda m: (m.tick_ms, m.network_ms, m.solver_ms, m.violation))
    return Recorded(
        path=rows(TRUTH, 4, lambda m: _point(m.pose.pose.position)),
        estimate=rows(ESTIMATE, 4, lambda m: _point(m.pose.position)),
        ticks=plan,
        phases=_phases(messages[STATE], begin),
        clearance=rows(RESULT, 2, lambda m: (m.nearest_obstacle,)),
        obstacles=_obstacles(messages[SET]),
        statuses=Counter(_status(m.status) for m in messages[PLAN]),
        policies=Counter(str(m.policy) for m in messages[PLAN]),
        firmware=[str(m.data) for m in messages[FIRMWARE]],
        late=sum(bool(m.late) for m in messages[INFO]),
    )


def _phases(messages: list[Any], begin: float) -> list[tuple[float, str, str]]:
    """Changes only: the state is repeated every second."""
    found: list[tuple[float, str, str]] = []
    for message in messages:
        if not found or found[-1][1:] != (message.phase, message.reason):
            found.append((_seconds(message) - begin, str(message.phase), str(message.reason)))
    return found


def _obstacles(messages: list[Any]) -> Array:
    if not messages:
        return np.zeros((0, 4))
    last = messages[-1]
    centers = np.array([_point(c) for c in last.centers], dtype=float).reshape(-1, 3)
    radii = np.broadcast_to(np.array(last.radii, dtype=float), len(centers))
    return np.column_stack([centers, radii])


def _status(code: int) -> str:
    known = list(Status)
    return known[code].value.partition(":")[0] if code < len(known) else f"status {code}"


def _seconds(message: Any) -> float:
    stamp = message.header.stamp
    return stamp.sec + stamp.nanosec / 1e9


def _point(point: Any) -> tuple[float, float, float]:
    return point.x, point.y, point.z
