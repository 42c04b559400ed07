"""Poses of motion capture as Crazyswarm2's server wants them: renamed bodies, nothing that is not a pose."""

import math
from collections.abc import Mapping, Sequence

from geometry_msgs.msg import Pose
from motion_capture_tracking_interfaces.msg import NamedPose, NamedPoseArray
from std_msgs.msg import Header

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.leap import LeapFilter

UNIT_TOLERANCE = 0.05
MAX_POSITION = 100.0
"""m: the firmware's estimator takes nothing beyond."""

MAX_BODIES = 1000
"""Bodies remembered; a driver that invents names must not fill the memory."""

Values = tuple[float, ...]


def parse_names(pairs: Sequence[str]) -> dict[str, str]:
    """{"1": "cf1"} of ["1:cf1"]: what motion capture calls a body, and the robot it is.

    Raises ConfigError for an entry without both parts, or when a body or robot is there twice.
    """
    names: dict[str, str] = {}
    for pair in pairs:
        body, separator, robot = (part.strip() for part in pair.partition(":"))
        if not (body and separator and robot):
            raise ConfigError(f"parameter 'names': expected '<body>:<robot>' such as '1:cf1', got '{pair}'")
        if body in names or robot in names.values():
            raise ConfigError(f"parameter 'names': '{pair}' names a body or a robot a second time")
        names[body] = robot
    return names


def values_of(pose: Pose) -> Values:
    """Position [m] and quaternion xyzw as plain numbers."""
    p, q = pose.position, pose.orientation
    return (p.x, p.y, p.z, q.x, q.y, q.z, q.w)


def is_pose(values: Values) -> bool:
    """Finite, within the estimator's bounds, and with a unit quaternion."""
    if not all(math.isfinite(value) for value in values) or max(map(abs, values[:3])) > MAX_POSITION:
        return False
    return abs(math.hypot(*values[3:]) - 1.0) <= UNIT_TOLERANCE


class Bridge:
    """Turns frames of bodies into NamedPoseArray; remembers what each body did last to tell a frozen one."""

    def __init__(self, names: Mapping[str, str], frozen_frames: int, fastest: float = 0.0) -> None:
        """names: robot by body; empty passes all bodies under their own names. frozen_frames: a pose that is
        repeated bit for bit this often is a lost body whose last pose the driver sends on; 0 passes all.
        fastest: a body that seems faster [m/s] was mistaken for another; 0 passes all."""
        self._names, self._frozen_frames = dict(names), frozen_frames
        self._last: dict[str, tuple[Values, int]] = {}
        self._fastest = fastest
        self._leaps: dict[str, LeapFilter] = {}
        self.dropped = 0

    def convert(self, header: Header, bodies: Sequence[tuple[str, Pose]]) -> NamedPoseArray | None:
        """The poses that are sound, with the header as it came; None when none is."""
        t = header.stamp.sec + 1e-9 * header.stamp.nanosec
        poses = [self._named(body, pose, t) for body, pose in bodies if self._robot(body)]
        sound = [pose for pose in poses if pose is not None]
        self.dropped += len(poses) - len(sound)
        return NamedPoseArray(header=header, poses=sound) if sound else None

    def _robot(self, body: str) -> str:
        return self._names.get(body, "") if self._names else body

    def _named(self, body: str, pose: Pose, t: float) -> NamedPose | None:
        values = values_of(pose)
        if not is_pose(values) or self._frozen(body, values):
            return None
        if not self._leaps.setdefault(body, LeapFilter(self._fastest)).passes(t, values[:3]):
            return None
        return NamedPose(name=self._robot(body), pose=pose)

    def _frozen(self, body: str, values: Values) -> bool:
        if len(self._last) > MAX_BODIES:
            self._last.clear()
            self._leaps.clear()
        before, repeats = self._last.get(body, ((), 0))
        repeats = repeats + 1 if values == before else 0
        self._last[body] = (values, repeats)
        return 0 < self._frozen_frames <= repeats
