"""What is still sent after a flight was given up: the emergency stop that was asked for, or else the landing
of a robot that is up."""

from deqmpc_core.flight.commands import Command, Emergency
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.landing import Landing

CUT_PERIOD = 0.1  # s between emergency stops
CUT_SENDS = 5  # times an emergency stop is sent in any case: the server says yes to what the radio lost


class Cut:
    """An emergency stop: sent a few times in any case, and again after each failure."""

    def __init__(self) -> None:
        self.asked = self.answered = False
        self._left, self._next = 0, 0.0

    @property
    def unconfirmed(self) -> bool:
        """Asked for, and nobody has said yes yet, or it is to be sent once more."""
        return self.asked and not (self.answered and not self._left)

    def ask(self, sends: int = CUT_SENDS) -> list[Command]:
        """The first of so many; tick() has the others."""
        self.asked, self.answered = True, False
        self._left, self._next = sends - 1, 0.0
        return [Emergency()]

    def failed(self, t: float) -> None:
        """It was not carried out, as seen at t [s]: once more."""
        self._left, self._next = max(self._left, 1), max(self._next, t + CUT_PERIOD)

    def tick(self, t: float) -> list[Command]:
        """What is due at t [s]."""
        if not self._left or t < self._next:
            return []
        if not self._next:
            self._next = t + CUT_PERIOD
            return []
        self._left, self._next = self._left - 1, t + CUT_PERIOD
        return [Emergency()]


class Aftermath:
    """Once the robot was seen to have landed nothing is sent any more: somebody may carry it."""

    def __init__(self) -> None:
        self.cut = Cut()
        self._descent: Landing | None = None
        self._again = False

    def begin(self, descent: Landing | None) -> None:
        """A flight is given up; descent is its landing, None where nothing can have left the ground."""
        self._descent = descent

    def insist(self) -> str:
        """The operator asks to stop: what tick() will do about it, in words."""
        if self.cut.asked:
            self.cut.failed(0.0)
            return "the emergency stop is sent again"
        self._again = self._descent is not None
        return "the landing is sent again" if self._again else "nothing is left to send"

    def tick(self, t: float, seen: Estimate | None, grounded: bool) -> list[Command]:
        """What is due at t [s]; seen is a fresh estimate, or None while poses are late; grounded: the robot
        says itself that it does not fly."""
        if self.cut.asked:
            return self.cut.tick(t)
        again, self._again = self._again, False
        if self._descent is None or grounded:
            return []
        if again:
            self._descent.begin_again(t)
        commands = self._descent.tick(t, seen)
        low = seen is not None and self._descent.low(seen)
        if self._descent.landed(t):
            self._descent = None
        return [] if low and not again else commands
