"""One bag a flight, whatever the disk does: a full disk ends the recording, not the recorder. No rclpy."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deqmpc_core.bag_metadata import ACTIVE
from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.bag import BagWriter
from deqmpc_policy_node.definitions import message_definition, type_hash
from deqmpc_policy_node.flight_watch import QUIET, FlightWatch
from deqmpc_policy_node.topics import DIAGNOSTICS

FLUSH_PERIOD = 0.5
"""s between chunks: half of what a kill may cost, the other half is for a machine that is late."""

PRE_ROLL = 5_000_000_000
"""ns before the event that begins a bag which the bag still holds."""

PRE_ROLL_BYTES = 32 * 2**20


@dataclass
class _Topic:
    """standing: a latched message that has come only once, and so still holds in the next bag."""

    type_name: str
    qos: str
    latched: bool
    count: int = 0
    standing: bytes | None = None


class FlightBags:
    """<directory>, <directory>_2, ... A bag is open from the start; after a flight the next opens with the
    next flight, and begins with what latched topics had said and the last seconds before."""

    def __init__(self, directory: Path, provenance: Mapping[str, str], one_a_flight: bool) -> None:
        """Raises ConfigError when the first bag exists already. one_a_flight: else one bag for everything."""
        self.watch = FlightWatch()
        self.fault = ""
        self._one_a_flight = one_a_flight
        self._directory, self._provenance = directory, provenance
        self._topics: dict[str, _Topic] = {}
        self._held: deque[tuple[str, int, bytes]] = deque()
        self._held_bytes = 0
        self._bag: BagWriter | None = None
        self._last_flush = 0.0
        self._last_received = self._quiet = 0
        self.finished: list[Path] = []
        self._guard(lambda: self._open(directory))

    @property
    def message_count(self) -> int:
        """Messages in the bag that is open."""
        return 0 if self._bag is None else self._bag.message_count

    @property
    def state(self) -> str:
        """One sentence on what is going on."""
        if self.fault:
            return self.fault
        return "waiting for the next flight" if self._bag is None else f"recording {self._bag.path}"

    def add_topic(self, name: str, type_name: str, qos: str, latched: bool) -> None:
        """Announce a topic. qos: the offered profiles as YAML; latched: late joiners get its last message.

        Raises ConfigError when the type's definition is not installed.
        """
        if not (message_definition(type_name) and type_hash(type_name)):
            raise ConfigError(f"the definition of {type_name} is empty")
        if self._bag is not None:
            bag = self._bag
            self._guard(lambda: bag.add_topic(name, type_name, qos))
        self._topics[name] = _Topic(type_name, qos, latched)

    def write(self, name: str, received: int, data: bytes, t: float) -> None:
        """Store a message received at wall time `received` [ns], steady time t [s]."""
        if self.fault:
            return
        topic = self._topics[name]
        topic.count += 1
        topic.standing = data if topic.latched and topic.count == 1 else None
        if name != DIAGNOSTICS:
            self._quiet = 0
        self._turn(t)
        self._last_received = received
        if self._bag is None:
            self._hold(name, received, data)
        else:
            bag = self._bag
            self._guard(lambda: bag.write(name, received, data))

    def tend(self, t: float) -> None:
        """Whatever is due at steady time t [s]; called after every turn of the executor."""
        self._quiet += 1
        self._turn(t)
        if self._bag is not None and t - self._last_flush >= FLUSH_PERIOD:
            self._last_flush = t
            self._guard(self._bag.flush)

    def _turn(self, t: float) -> None:
        """Close the bag of a flight, begin the next."""
        if self._one_a_flight and self.watch.turn(t, self._quiet) and self._bag is not None:
            self._guard(self._finish)
        if self._bag is None and self.watch.wanted and not self.fault:
            self._guard(lambda: self._open(self._next_directory()))

    @property
    def behind(self) -> bool:
        """In lock-step messages may still be on their way when everything else has ended."""
        return self.watch.lock_step and self._bag is not None and self._quiet < QUIET

    def close(self) -> None:
        """Finish the bag that is open."""
        if self._bag is not None:
            self._guard(self._finish)

    def _next_directory(self) -> Path:
        number = 2
        while True:
            directory = self._directory.with_name(f"{self._directory.name}_{number}")
            if not directory.exists() and not directory.with_name(directory.name + ACTIVE).exists():
                return directory
            number += 1

    def _open(self, directory: Path) -> None:
        bag = self._bag = BagWriter(directory, self._provenance)
        for name, topic in self._topics.items():
            bag.add_topic(name, topic.type_name, topic.qos)
        held, self._held, self._held_bytes = self._held, deque(), 0
        begin = held[0][1] if held else self._last_received
        for name, topic in self._topics.items():
            if topic.standing is not None:
                bag.write(name, begin, topic.standing)
        for name, received, data in held:
            if self._topics[name].standing is None:
                bag.write(name, received, data)

    def _hold(self, name: str, received: int, data: bytes) -> None:
        self._held.append((name, received, data))
        self._held_bytes += len(data)
        while self._held[0][1] < received - PRE_ROLL or self._held_bytes > PRE_ROLL_BYTES:
            self._held_bytes -= len(self._held.popleft()[2])

    def _finish(self) -> None:
        if self._bag is not None:
            self.finished.append(self._bag.close())
            self._bag = None

    def _guard(self, action: Callable[[], object]) -> None:
        """Do it; the disk's refusal ends the recording."""
        try:
            action()
        except OSError as error:
            self._stop(error.strerror or str(error))
        else:
            if self._bag is not None and self._bag.full:
                self._stop("the disk is full")

    def _stop(self, why: str) -> None:
        bag, self._bag = self._bag, None
        self._held.clear()
        self.fault = f"recording has stopped: {why}"
        if bag is None:
            return
        try:
            self.finished.append(bag.close())
        except (OSError, ValueError):
            left = bag.abandon()
            self.fault += f"; free some space, then run: deqmpc data repair {left}"
        else:
            self.fault += f"; what was recorded is in {self.finished[-1]}"
