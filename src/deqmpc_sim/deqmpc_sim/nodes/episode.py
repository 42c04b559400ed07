"""One simulated episode as the node runs it: when the policy's part begins and ends, and when everything is
over."""

from deqmpc_core.flight import FlightPhase
from deqmpc_sim.nodes.graph import NANOSECONDS, stamp_of
from deqmpc_sim.nodes.publishers import MocapPublisher, RecordPublisher
from deqmpc_sim.world import World

OVER = (FlightPhase.LANDED.name, FlightPhase.FAULT.name)
STILL = 1.0
ABANDONED = 10.0


class Episode:
    """A world with its seed, and the phase the commander last told."""

    def __init__(self, world: World, seed: int, episode: int, policy_steps: int) -> None:
        self.world, self.seed, self.episode = world, seed, episode
        self.phase = ""
        self._steps = policy_steps or None
        self._flown = False
        self._events_told = 0
        self._stopped: float | None = None
        self._silent: float | None = None
        self._ending: tuple[float, str] | None = None

    def follow(self, phase: str, reason: str, grace: float = 0.0) -> None:
        """The commander's phase is now `phase`; the referee judges while it is POLICY.

        grace [s]: how long the referee may look on for its last sample, for clocks that are not the
        commander's own.
        """
        before, self.phase = self.phase, phase
        self._flown = self._flown or phase not in OVER
        policy = FlightPhase.POLICY.name
        if phase == policy and before != policy:
            self.world.begin_policy(self._steps)
        elif before == policy and phase != policy:
            self._ending = (self.world.time + grace, reason)
        self.settle()

    def settle(self) -> None:
        """End the policy's part once the referee has its last sample or the grace is over."""
        if self._ending and (self.world.referee.done or self.world.time >= self._ending[0]):
            self.world.end_policy(self._ending[1])
            self._ending = None

    @property
    def ending(self) -> bool:
        """The policy's part is over but for the referee's last sample."""
        return self._ending is not None

    def silence(self) -> None:
        """The commander no longer answers."""
        if self._silent is None:
            self._silent = self.world.time

    def is_over(self) -> bool:
        """Landed or given up; without a commander: the motors locked for a second, or ten seconds gone.

        A phase told before this flight's first one belongs to the flight before.
        """
        drone, t = self.world.drone, self.world.time
        if not drone.is_locked:
            self._stopped = None
        elif self._stopped is None:
            self._stopped = t
        still = self._stopped is not None and t - self._stopped >= STILL
        abandoned = self._silent is not None and t - self._silent >= ABANDONED
        return (self._flown and self.phase in OVER) or still or abandoned

    def close(self) -> None:
        """End the policy's part if it still goes on."""
        self.world.end_policy(self._ending[1] if self._ending else "the commander fell silent")

    def tell_events(self, record: RecordPublisher) -> None:
        """Publish what the firmware did since the last call."""
        events = self.world.drone.events
        for event in events[self._events_told :]:
            record.event(f"{event.time:.2f} s: {event.sentence}")
        self._events_told = len(events)

    def publish_poses(self, mocap: MocapPublisher, epoch: int) -> None:
        """Publish the frames that have become due; epoch [ns] is the stamp of the world's time 0."""
        for frame in self.world.take_frames():
            stamp = max(0, epoch + round(frame.stamp * NANOSECONDS))  # a clock that stepped back may be below
            mocap.publish(frame, stamp_of(stamp))
