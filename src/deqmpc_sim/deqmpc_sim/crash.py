"""Whether the robot has crashed: judged over the whole flight, whoever flies."""

import math
from collections.abc import Callable

from deqmpc_core.tasks.crazyflie import ROOM_HI, ROOM_LO, ROOM_MARGIN
from deqmpc_sim.firmware.truth import Array, TrueState

HARD = 1.0
"""Touching the floor faster than this [m/s] is a crash, not a landing."""
UPRIGHT = math.cos(math.radians(60.0))
WORD = "crash: "
"""Begins the sentence among the firmware's events."""
_LOW = (ROOM_LO - ROOM_MARGIN - 0.05).tolist()
_HIGH = (ROOM_HI + ROOM_MARGIN + 0.05).tolist()


class CrashWatch:
    """observe() after every physics step; `note` receives one sentence at the first crash."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self.crashed = False
        self._note = note
        self._speed = 0.0

    def observe(self, truth: TrueState) -> None:
        """One step's end."""
        if not self.crashed:
            sentence = self._judge(truth)
            if sentence:
                self.crashed = True
                self._note(WORD + sentence)
        self._speed = max(0.0, -float(truth.velocity[2]))

    def _judge(self, truth: TrueState) -> str:
        if truth.floor_contact and self._speed > HARD:
            return f"hit the floor at {self._speed:.1f} m/s"
        q = truth.quaternion
        if truth.floor_contact and 1.0 - 2.0 * (q[0] * q[0] + q[1] * q[1]) < UPRIGHT:
            return "lies on its side"
        return "hit a wall" if _outside(truth.position) else ""


def _outside(position: Array) -> bool:
    """Beyond the walls or the ceiling; the floor judges itself."""
    x, y, z = position.tolist()
    return not (_LOW[0] <= x <= _HIGH[0] and _LOW[1] <= y <= _HIGH[1] and z <= _HIGH[2])
