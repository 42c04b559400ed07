"""The radio between Crazyswarm2's server and the firmware: packets are lost, come late, overtake one another.

Setpoints are sent once: the next one is better than a repeat. Commands (services) are acknowledged and sent
again, as the link layer does: a loss makes them late before it makes them vanish, and none overtakes another.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from deqmpc_core.errors import ConfigError
from deqmpc_sim.firmware.truth import Seed, Stream, generator

Action = Callable[[], object]
_TIME_SLACK = 1e-6


@dataclass(frozen=True)
class RadioConfig:
    """The simulated radio; by default it is perfect."""

    radio_loss: float = 0.0
    """Share of transmissions that are lost [-]."""
    radio_latency: float = 0.0
    """From the server to the firmware [s]."""
    radio_jitter: float = 0.0
    """Largest further delay of a packet, uniformly drawn [s]: setpoints overtake one another."""
    radio_retries: int = 10
    """How often a command is sent again while it is not acknowledged."""
    radio_retry_period: float = 0.004
    """Between two attempts at a command [s]."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.radio_loss <= 1.0:
            raise ConfigError(f"radio_loss must be a share from 0 to 1, got {self.radio_loss}")
        for name in ("radio_latency", "radio_jitter", "radio_retries", "radio_retry_period"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be finite and not negative, got {getattr(self, name)}")


class Radio:
    """setpoint() and command() take what the packet does on board; deliver() does what has arrived.

    A perfect radio (no loss, no delay) acts at once. The same seed and calls lose the same packets.
    """

    def __init__(self, config: RadioConfig, seed: Seed) -> None:
        """seed: a number or (seed, episode)."""
        self.config = config
        self.loss = config.radio_loss
        """Share lost; faults change it."""
        self.lost = {"setpoint": 0, "command": 0}
        """Packets that never arrived."""
        self._random = generator(seed, Stream.RADIO)
        self._under_way: list[tuple[float, int, Action]] = []
        self._count = 0
        self._last_command = 0.0

    def setpoint(self, t: float, action: Action) -> None:
        """Send a setpoint at t [s]."""
        if self._lost():
            self.lost["setpoint"] += 1
        else:
            self._send(t, action)

    def command(self, t: float, action: Action) -> None:
        """Send a command at t [s], again and again until it arrives or the retries are used up."""
        for attempt in range(self.config.radio_retries + 1):
            if not self._lost():
                first = t + attempt * self.config.radio_retry_period
                self._last_command = self._send(first, action, after=self._last_command)
                return
        self.lost["command"] += 1

    def deliver(self, t: float) -> None:
        """Do what has arrived by t [s], in the order of arrival."""
        while self._under_way and self._under_way[0][0] <= t + _TIME_SLACK:
            heapq.heappop(self._under_way)[2]()

    def _lost(self) -> bool:
        return self.loss > 0.0 and float(self._random.random()) < self.loss

    def _send(self, t: float, action: Action, after: float = 0.0) -> float:
        """When the packet sent at t [s] arrives, which is not before `after`."""
        config = self.config
        delay = config.radio_latency
        if config.radio_jitter > 0.0:
            delay += config.radio_jitter * float(self._random.random())
        if delay == 0.0 and not self._under_way and self.loss == 0.0:
            action()
            return t
        self._count += 1
        arrival = max(t + delay, after)
        heapq.heappush(self._under_way, (arrival, self._count, action))
        return arrival
