"""The firmware's supervisor: decides at 25 Hz whether the motors may turn, from setpoint age, thrust and
acceleration.
"""

from collections.abc import Callable
from enum import Enum, IntFlag

from deqmpc_sim.firmware.truth import GRAVITY

LEVEL_OUT_AFTER = 0.5
SHUT_DOWN_AFTER = 2.0
FLYING_HYSTERESIS = 2.0
TUMBLED, TUMBLED_AFTER = 0.5 * GRAVITY, 1.0
UPSIDE_DOWN, UPSIDE_DOWN_AFTER = -0.2 * GRAVITY, 0.1


class Info(IntFlag):
    """Bits of crazyflie_interfaces/Status.supervisor_info."""

    CAN_BE_ARMED = 1
    IS_ARMED = 2
    AUTO_ARM = 4
    CAN_FLY = 8
    IS_FLYING = 16
    IS_TUMBLED = 32
    IS_LOCKED = 64
    IS_CRASHED = 128
    HIGH_LEVEL_ACTIVE = 256
    HIGH_LEVEL_FINISHED = 512


class SupervisorState(Enum):
    """READY until the motors turn; WARNING_LEVEL_OUT goes back to FLYING by itself, CRASHED and LOCKED need a
    reboot.
    """

    READY = "ready to fly"
    FLYING = "flying"
    WARNING_LEVEL_OUT = "levelled out"
    CRASHED = "crashed"
    LOCKED = "locked"


class Supervisor:
    """State machine over samples; `note` receives a sentence for each change that a user should hear of."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.state = SupervisorState.READY
        self.armed = True
        self.tumbled = False
        self._note = note
        self._thrust_time = -FLYING_HYSTERESIS
        self._upright_time = 0.0
        self._not_inverted_time = 0.0

    def update(self, t: float, thrusting: bool, setpoint_age: float, vertical: float) -> None:
        """One sample: whether any motor turns, the age of the last accepted setpoint [s], body z acceleration
        [m/s^2].
        """
        if thrusting:
            self._thrust_time = t
        self._watch_tumbling(t, vertical)
        if self.state in (SupervisorState.LOCKED, SupervisorState.CRASHED):
            return
        if self.tumbled:
            self._enter(SupervisorState.CRASHED, "motors off: tumbled")
        elif not self._recently_thrusting(t):
            self.state = SupervisorState.READY
        elif setpoint_age > SHUT_DOWN_AFTER:
            self.lock(f"motors off and locked: no setpoint for {SHUT_DOWN_AFTER} s")
        elif setpoint_age > LEVEL_OUT_AFTER:
            self._enter(
                SupervisorState.WARNING_LEVEL_OUT, f"levelled out: no setpoint for {LEVEL_OUT_AFTER} s"
            )
        else:
            self._resume()

    def lock(self, sentence: str) -> None:
        """Motors off until a reboot."""
        self._enter(SupervisorState.LOCKED, sentence)

    def arm(self, armed: bool) -> None:
        """A Crazyflie 2.1 arms itself at start; disarming stops the motors."""
        if armed != self.armed:
            self._note("armed" if armed else "motors off: disarmed")
        self.armed = armed

    @property
    def motors_allowed(self) -> bool:
        """Whether the controller's output may reach the motors."""
        return self.armed and self.state not in (SupervisorState.CRASHED, SupervisorState.LOCKED)

    def is_flying(self, t: float) -> bool:
        """Thrust within the last 2 s and not stopped for good."""
        return self.motors_allowed and self._recently_thrusting(t)

    def info(self, t: float) -> Info:
        """The supervisor's bits, without the high-level commander's."""
        locked, crashed = self.state is SupervisorState.LOCKED, self.state is SupervisorState.CRASHED
        bits = Info.AUTO_ARM
        bits |= Info(0) if locked or crashed else Info.CAN_BE_ARMED
        bits |= Info.IS_ARMED if self.armed and not locked else Info(0)
        bits |= Info.CAN_FLY if self.motors_allowed else Info(0)
        bits |= Info.IS_FLYING if self.is_flying(t) else Info(0)
        bits |= Info.IS_TUMBLED if self.tumbled else Info(0)
        bits |= Info.IS_LOCKED if locked else Info(0)
        return bits | (Info.IS_CRASHED if crashed else Info(0))

    def _recently_thrusting(self, t: float) -> bool:
        return t - self._thrust_time < FLYING_HYSTERESIS

    def _watch_tumbling(self, t: float, vertical: float) -> None:
        if vertical >= TUMBLED:
            self._upright_time = t
        if vertical >= UPSIDE_DOWN:
            self._not_inverted_time = t
        fallen, inverted = t - self._upright_time, t - self._not_inverted_time
        self.tumbled = fallen > TUMBLED_AFTER or inverted > UPSIDE_DOWN_AFTER

    def _resume(self) -> None:
        if self.state is SupervisorState.WARNING_LEVEL_OUT:
            self._note("flying again: setpoints resumed")
        self.state = SupervisorState.FLYING

    def _enter(self, state: SupervisorState, sentence: str) -> None:
        if self.state is not state:
            self._note(sentence)
        self.state = state
