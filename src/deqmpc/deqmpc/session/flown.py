"""What was seen of a flight with a fault: the facts its answer is judged by."""

from dataclasses import dataclass, field

import numpy as np

from deqmpc_core.flight import FlightPhase
from deqmpc_core.flight.configuration import CommanderConfig
from deqmpc_core.flight.trajectory import WIRE_LIMIT
from deqmpc_sim.crash import WORD as CRASH

POLICY, LANDING = FlightPhase.POLICY.name, FlightPhase.LANDING.name
ENDS = (FlightPhase.LANDED.name, FlightPhase.FAULT.name)
LONGEST_GAP = 0.2
"""Longest silence of the setpoints in state POLICY [s]."""
_SLACK = 1e-3


@dataclass
class Flown:
    """One flight. phases: (time [s], phase, reason) of every change; firmware: (time, sentence);
    setpoints: rows (time, x, y, z, velocity (3), acceleration (3), the largest other number's size);
    struck: time of the strike [s], NaN if none; due: s the policy was to fly.

    refusal: why the start was refused; swap: (success, message) of load_policy, None without an answer; log:
    what the recorder wrote.
    """

    phases: list[tuple[float, str, str]] = field(default_factory=list)
    firmware: list[tuple[float, str]] = field(default_factory=list)
    setpoints: list[tuple[float, ...]] = field(default_factory=list)
    struck: float = float("nan")
    due: float = 0.0
    refusal: str = ""
    swap: tuple[bool, str] | None = None
    log: str = ""

    def since(self, phase: str) -> float | None:
        """When the phase began first [s]; None if it never did."""
        return next((t for t, name, _ in self.phases if name == phase), None)

    @property
    def end(self) -> str:
        """The last phase."""
        return self.phases[-1][1] if self.phases else ""

    @property
    def reason(self) -> str:
        """Why it landed or gave up, in words; empty if it did not."""
        return next((reason for _, name, reason in self.phases if name in (LANDING, *ENDS) and reason), "")

    @property
    def crash(self) -> str:
        """The simulator's sentence about a crash, or nothing."""
        return next((s.removeprefix(CRASH) for _, s in self.firmware if s.startswith(CRASH)), "")

    @property
    def policy_span(self) -> tuple[float, float] | None:
        """Begin and end of the policy's flight [s]."""
        began = self.since(POLICY)
        if began is None:
            return None
        after = [t for t, name, _ in self.phases if name != POLICY and t > began]
        return began, min(after, default=self.setpoints[-1][0] if self.setpoints else began)

    @property
    def longest_gap(self) -> float:
        """Longest silence of the setpoints in state POLICY, its beginning and end counted [s]."""
        span = self.policy_span
        if span is None:
            return 0.0
        times = sorted(row[0] for row in self.setpoints if span[0] <= row[0] <= span[1])
        return float(np.max(np.diff([span[0], *times, span[1]])))

    def unsafe(self, config: CommanderConfig) -> list[str]:
        """Setpoints that should never have left the commander, in words."""
        found = []
        for row in self.setpoints:
            why = _unsafe(np.array(row[1:]), config)
            if why:
                found.append(f"{row[0]:.2f} s: {why}")
        return found


def _unsafe(row: np.ndarray, config: CommanderConfig) -> str:
    if not np.isfinite(row).all():
        return "not finite"
    if np.max(np.abs(row)) > WIRE_LIMIT:
        return f"beyond the packet's +-{WIRE_LIMIT}"
    low = np.array(getattr(config, "fence_inner_low", [-WIRE_LIMIT] * 3))
    high = np.array(getattr(config, "fence_inner_high", [WIRE_LIMIT] * 3))
    if np.any(row[:3] < low - _SLACK) or np.any(row[:3] > high + _SLACK):
        return f"outside the inner geofence: {np.round(row[:3], 3).tolist()}"
    for name, value in (("max_speed", row[3:6]), ("max_acceleration", row[6:9])):
        if np.linalg.norm(value) > getattr(config, name, np.inf) + _SLACK:
            return f"above {name}: {np.linalg.norm(value):.2f}"
    return ""
