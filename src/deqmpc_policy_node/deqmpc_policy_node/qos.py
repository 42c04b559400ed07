"""Qualities of service, one name per purpose."""

from rclpy.duration import Duration
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

LOCK_STEP_DEPTH = 1000


def _profile(depth: int, reliable: bool, latched: bool) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


LATEST = _profile(1, reliable=False, latched=False)
"""Sensor data while flying: only the newest counts; matches the reliable publishers of mocap drivers."""

EVERY = _profile(LOCK_STEP_DEPTH, reliable=True, latched=False)
"""Nothing may be lost: lock-step and recording."""

COMMAND = _profile(10, reliable=True, latched=False)
"""Setpoints: reliable as crazyflie_py offers them, deep enough for the recorder to get each."""

PLANS = _profile(10, reliable=True, latched=True)
"""Plans as the policy offers them: the recorder gets each, a commander that joins late the last."""

LATCHED = _profile(1, reliable=True, latched=True)
"""State that a late joiner must still see."""

NEWEST = _profile(1, reliable=True, latched=False)
"""What an operator sends: the newest counts, whether the sender latches it or not."""


def poses(lock_step: bool) -> QoSProfile:
    """Motion capture: best effort depth 1 on hardware, every frame in lock-step."""
    return EVERY if lock_step else LATEST


def with_deadline(profile: QoSProfile, seconds: float) -> QoSProfile:
    """The same quality, and a message at least every so often: offered by a publisher, asked by a
    subscription."""
    return QoSProfile(
        history=profile.history,
        depth=profile.depth,
        reliability=profile.reliability,
        durability=profile.durability,
        deadline=Duration(nanoseconds=round(seconds * 1e9)),
    )
