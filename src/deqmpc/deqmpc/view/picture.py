"""What the view shows, and which message it comes from; plain values, no ROS, no browser."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.errors import ConfigError

Array = NDArray[np.float64]
TRAIL, TICKS, TOLD = 600, 100, 6
"""Entries that are kept of the way flown, of tick times and of sentences."""
STEP = 0.02
"""m between two points of the trail."""
FARTHEST = 30.0
"""m; an obstacle is not dragged farther from the origin on any axis."""


@dataclass(frozen=True)
class Obstacles:
    """Keep-out spheres: centers (k, 3), world [m], radii (k,) [m]."""

    centers: Array
    radii: Array

    def moved(self, index: int, place: Sequence[float]) -> "Obstacles":
        """The same set with one centre elsewhere. Raises ConfigError for a place that is none."""
        where = np.array(place, dtype=float)
        if not 0 <= index < len(self.radii):
            raise ConfigError(f"there are {len(self.radii)} obstacles, got number {index}")
        if where.shape != (3,) or not np.all(np.abs(where) <= FARTHEST):
            raise ConfigError(f"an obstacle's place must be within {FARTHEST:g} m, got {list(place)}")
        centers = self.centers.copy()
        centers[index] = where
        return Obstacles(centers, self.radii)


NO_OBSTACLES = Obstacles(np.zeros((0, 3)), np.zeros(0))


@dataclass
class Picture:
    """Fields are what is seen now, world frame, m; `changed` holds the names of those that are new since
    `take_changes`.

    position (3,) and quaternion (x, y, z, w): the drone; trail: its way; plan (T+2, 3) and waypoints (T, 3):
    of the last plan; rounds: the plan of each DEQ-MPC round (T+1, 3), where the policy node tells them;
    tick_ms: times of the last ticks; status: the last solve in words; told: the last sentences.
    """

    position: Array = field(default_factory=lambda: np.zeros(3))
    quaternion: Array = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0]))
    trail: deque[Array] = field(default_factory=lambda: deque(maxlen=TRAIL))
    plan: Array = field(default_factory=lambda: np.zeros((0, 3)))
    waypoints: Array = field(default_factory=lambda: np.zeros((0, 3)))
    rounds: list[Array] = field(default_factory=list)
    obstacles: Obstacles = NO_OBSTACLES
    tick_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TICKS))
    policy: str = ""
    status: str = ""
    phase: str = ""
    distance: float = float("nan")
    nearest: float = float("nan")
    told: deque[str] = field(default_factory=lambda: deque(maxlen=TOLD))
    changed: set[str] = field(default_factory=set)
    _true: bool = False

    def take_changes(self) -> set[str]:
        """Names of what is new since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def saw_truth(self, position: Array, quaternion: Array) -> None:
        """/deqmpc/truth: the simulator's own; from now on it is shown, not the estimate."""
        self._true = True
        self._move(position, quaternion)

    def saw_estimate(self, position: Array, quaternion: Array) -> None:
        """/deqmpc/estimate: where the policy takes the robot to be."""
        if not self._true:
            self._move(position, quaternion)

    def _move(self, position: Array, quaternion: Array) -> None:
        if not (np.all(np.isfinite(position)) and np.all(np.isfinite(quaternion))):
            return
        self.position, self.quaternion = position, quaternion
        self.changed.add("drone")
        if not self.trail or float(np.linalg.norm(self.trail[-1] - position)) > STEP:
            self.trail.append(position)
            self.changed.add("trail")

    def saw_plan(self, plan: Array, waypoints: Array, policy: str, tick_ms: float) -> None:
        """/deqmpc/plan: the knots the commander flies, the network's waypoints theta, who made it, how long
        it took [ms]."""
        self.plan, self.waypoints, self.policy = plan, waypoints, policy
        self.tick_ms.append(tick_ms)
        self.changed |= {"plan", "ticks"}

    def saw_rounds(self, rounds: Sequence[Array]) -> None:
        """/deqmpc_policy/rounds: the plan of every round of the last tick."""
        self.rounds = list(rounds)
        self.changed.add("rounds")

    def saw_solve(self, sentence: str) -> None:
        """/deqmpc_policy/solve_info: how the last solve ended."""
        self.status = sentence
        self.changed.add("words")

    def saw_obstacles(self, centers: Array, radii: Array) -> None:
        """/deqmpc/obstacle_set: the spheres in force."""
        self.obstacles = Obstacles(centers, radii)
        self.changed.add("obstacles")

    def saw_phase(self, phase: str, reason: str) -> None:
        """/deqmpc/flight_state: what the commander does; a new take-off begins a new trail."""
        if phase == self.phase:
            return
        if phase == "TAKEOFF":
            self.trail.clear()
        self.phase = phase
        self.say(f"{phase}: {reason}" if reason else phase)

    def saw_progress(self, distance: float, nearest: float) -> None:
        """/deqmpc/episode_result: m to the goal and to the nearest obstacle's surface."""
        self.distance, self.nearest = distance, nearest
        self.changed.add("words")

    def say(self, sentence: str) -> None:
        """Another line for the reader."""
        self.told.append(sentence)
        self.changed.add("words")

    def words(self) -> str:
        """What stands beside the picture, as Markdown."""
        ticks = np.array(self.tick_ms)
        times = f"{ticks[-1]:.1f} ms, slowest {ticks.max():.1f}" if len(ticks) else "none yet"
        rows = {
            "phase": self.phase or "waiting",
            "policy": self.policy or "none yet",
            "tick": times,
            "rounds": str(len(self.rounds) or "not told"),
            "solve": self.status.partition(":")[0] or "none yet",
            "goal": f"{self.distance:.2f} m" if np.isfinite(self.distance) else "",
            "nearest obstacle": f"{self.nearest:.2f} m" if np.isfinite(self.nearest) else "",
        }
        table = "\n".join(f"| {name} | {_plain(value)} |" for name, value in rows.items() if value)
        lines = "\n".join(f"- {_plain(sentence)}" for sentence in self.told)
        return f"| | |\n|---|---|\n{table}\n\n{lines}\n"


def _plain(text: str) -> str:
    """Without what Markdown or HTML would take for their own."""
    return text.replace("|", "/").replace("<", "(").replace(">", ")").replace("\n", " ")
