"""What a run saw of one episode; from it come the live display, the summary and the figure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class Verdict:
    """The referee's figures of a finished episode, as in EpisodeResult.msg."""

    return_: float
    success: bool
    failure: str | None
    final_distance: float
    min_obstacle_distance: float

    @property
    def outcome(self) -> str:
        """In words: the failure, success, or neither."""
        return self.failure or ("success" if self.success else "goal not held")


@dataclass
class Track:
    """seed and episode; the verdict once there; live figures; one row per message in the lists.

    positions: (time [s], x, y, z [m, world], 1.0 while the policy flies); clearance: (time [s], m to the
    nearest sphere);
    happened: (time [s], sentence). phases, firmware, setpoints, struck, refusal and swap: see Flown.
    """

    seed: int
    episode: int
    verdict: Verdict | None = None
    phase: str = ""
    reason: str = ""
    flown: float = 0.0
    distance: float = float("nan")
    nearest: float = float("nan")
    tick_ms: list[float] = field(default_factory=list)
    positions: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    clearance: list[tuple[float, float]] = field(default_factory=list)
    happened: list[tuple[float, str]] = field(default_factory=list)
    heard: float = 0.0
    phases: list[tuple[float, str, str]] = field(default_factory=list)
    firmware: list[tuple[float, str]] = field(default_factory=list)
    setpoints: list[tuple[float, ...]] = field(default_factory=list)
    struck: float = float("nan")
    refusal: str = ""
    swap: tuple[bool, str] | None = None

    @property
    def took_off(self) -> bool:
        """The commander got as far as take-off."""
        return any(sentence.startswith("TAKEOFF") for _, sentence in self.happened)

    def now(self) -> float:
        """Time of the last progress [s]."""
        return self.clearance[-1][0] if self.clearance else 0.0

    def tick_quantile(self, share: float) -> float | None:
        """Quantile of the tick times [ms], None without ticks."""
        return float(np.quantile(self.tick_ms, share)) if self.tick_ms else None

    def report(self) -> list[str]:
        """What happened, in order of time."""
        return [f"{t:.2f} s: {sentence}" for t, sentence in sorted(self.happened)]


def most_telling(tracks: Sequence[Track]) -> Track:
    """The flight worth a picture: the first that failed, else the one that came nearest to a sphere."""
    failed = [track for track in tracks if track.verdict is None or track.verdict.failure]
    if failed:
        return failed[0]
    return min(tracks, key=lambda track: track.verdict.min_obstacle_distance if track.verdict else 0.0)
