"""When one recorded episode ends and the next begins, from what commander and simulator say. No rclpy."""

from deqmpc_core.flight import FlightPhase

GROUND = (FlightPhase.IDLE.name, FlightPhase.LANDED.name, FlightPhase.FAULT.name)
LINGER = 2.0
"""s after landing that still belong to the flight: the referee's verdict, the last status."""

VERDICT_LINGER = 0.2
"""s after the verdict."""

QUIET = 4
"""Turns of the executor without a message after which, in lock-step, nothing is on its way any more. Not a
time: a machine that is late looks quiet."""

LONG_QUIET = 20


class FlightWatch:
    """Events come with the time [s] of any steady clock; turn() then says when to close a bag.

    A flight begins with the first phase in the air or, in lock-step, when simulated time goes back. It is
    over a while after it came down, or at once when the next begins. In lock-step time runs so fast that
    topics arrive seconds apart from one another; there it is over when it was judged and nothing comes any
    more. wanted: a bag should be open; it is from the start, so that nothing before the first flight is
    missed.
    """

    def __init__(self) -> None:
        self.wanted = True
        self._flying = self._restart = self._aloft = self._judged = False
        self._deadline: float | None = None
        self._step = -1

    def on_phase(self, phase: str, t: float) -> None:
        """The commander's phase, as often as it is told."""
        self._aloft = phase not in GROUND
        if self._aloft:
            self._restart = self._restart or self._deadline is not None
            self._flying = self.wanted = True
        elif self._flying and self._deadline is None:
            self._deadline = t + LINGER

    def on_verdict(self, t: float) -> None:
        """The referee has judged: little comes after it."""
        if self._flying:
            self._judged = True
            soon = t + VERDICT_LINGER
            self._deadline = soon if self._deadline is None else min(soon, self._deadline)

    def on_step(self, stamp: int) -> None:
        """Simulated time [ns]; going back means another episode."""
        if stamp < self._step:
            self._restart = self._restart or self._flying
            self._aloft, self.wanted = False, True
        self._step = stamp

    @property
    def lock_step(self) -> bool:
        """Steps of simulated time have been seen."""
        return self._step >= 0

    def turn(self, t: float, quiet: int) -> bool:
        """True once when the open bag is to be closed; `wanted` says whether the next begins at once.

        quiet: turns of the executor since the last message.
        """
        if self._restart:
            self._flying = self._aloft
        elif self._over(t, quiet):
            self._flying = self.wanted = False
        else:
            return False
        self._restart, self._judged, self._deadline = False, False, None
        return True

    def _over(self, t: float, quiet: int) -> bool:
        if self._deadline is None:
            return False
        if not self.lock_step:
            return t >= self._deadline
        return quiet >= (QUIET if self._judged else LONG_QUIET)
