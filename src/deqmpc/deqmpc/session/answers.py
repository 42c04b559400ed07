"""The answers demanded of the stack, as predicates: what is wrong with the flight seen, or nothing."""

import itertools
import math
import re
from collections.abc import Callable

from deqmpc.session.flown import ENDS, LANDING, POLICY, Flown
from deqmpc_core.flight import FlightPhase

Judge = Callable[[Flown], str]
LANDED = FlightPhase.LANDED.name
_FULL = re.compile(r"full|space|large|quota|limit|stopped|ended", re.IGNORECASE)
LARGEST_STEP = 0.1
"""Between two setpoints in a row [m]: 5 m/s at 50 Hz."""
_SLACK = 0.25


def flies_on(seen: Flown) -> str:
    """The policy flies its whole time, then the robot lands."""
    span = seen.policy_span
    if span is None:
        return "the policy never flew"
    flown = span[1] - span[0]
    if flown < seen.due - _SLACK:
        return f"the policy flew {flown:.1f} s of {seen.due:.1f} s: {seen.reason}"
    return _landed(seen)


def flies_on_smoothly(seen: Flown) -> str:
    """The same, and no setpoint is far from the one before it."""
    rows = sorted(seen.setpoints)
    steps = [math.dist(a[1:4], b[1:4]) for a, b in itertools.pairwise(rows) if b[0] - a[0] < 0.1]
    if max(steps, default=0.0) > LARGEST_STEP:
        return f"a setpoint jumped by {max(steps):.2f} m"
    return flies_on(seen)


def lands(earliest: float, latest: float) -> Judge:
    """The landing begins so long after the strike [s], and ends on the ground."""

    def judge(seen: Flown) -> str:
        landing = seen.since(LANDING)
        if landing is None:
            return f"no landing; ended in {seen.end or 'nothing'}"
        after = landing - seen.struck
        if not earliest - 1e-6 <= after <= latest + 1e-6:
            return f"the landing began {after:.2f} s after the strike, not within {earliest} to {latest} s"
        return _landed(seen)

    return judge


def lands_for(word: str) -> Judge:
    """The policy's flight is cut short for a reason that holds the word, and ends on the ground."""

    def judge(seen: Flown) -> str:
        if word not in seen.reason.lower():
            return f"no landing for its {word}: {seen.reason or seen.end}"
        return _landed(seen)

    return judge


def comes_down(seen: Flown) -> str:
    """Lands early or at its end; given up is right too once the robot stands."""
    if seen.since(POLICY) is None:
        return "the policy never flew"
    if seen.since(LANDING) is None or seen.end not in ENDS:
        return f"no landing; ended in {seen.end or 'nothing'}"
    return "" if _motors_off(seen) else "the motors were not switched off by a finished landing"


def is_cut(seen: Flown) -> str:
    """Without setpoints the firmware levels out, then locks."""
    times = [next((t for t, s in seen.firmware if words in s), None) for words in ("levelled out", "locked")]
    levelled, locked = times
    if levelled is None or locked is None:
        return "the firmware did not level out and lock"
    for after, wanted in ((levelled - seen.struck, 0.5), (locked - seen.struck, 2.0)):
        if not wanted - 0.2 <= after <= wanted + 0.5:
            return f"the firmware acted {after:.2f} s after the strike, not after {wanted} s"
    return ""


def refuses(word: str) -> Judge:
    """The start is refused with a sentence that holds the word."""

    def judge(seen: Flown) -> str:
        if not seen.refusal:
            return "the start was accepted"
        return "" if word in seen.refusal else f"the refusal does not name {word}: {seen.refusal}"

    return judge


def refuses_swap(seen: Flown) -> str:
    """load_policy answers no and says why; the flight goes on."""
    if seen.swap is None:
        return "not available: nobody answered load_policy"
    success, message = seen.swap
    if success or not message:
        return f"the swap was not refused with a reason: {message or 'no message'}"
    return flies_on(seen)


def outlives_recording(seen: Flown) -> str:
    """The recorder says that it stopped; the flight goes on."""
    if not _FULL.search(seen.log):
        return "the recorder said nothing"
    return flies_on(seen)


def _landed(seen: Flown) -> str:
    return "" if seen.end == LANDED else f"ended in {seen.end or 'nothing'}: {seen.reason}"


def _motors_off(seen: Flown) -> bool:
    return any("landing finished" in sentence for _, sentence in seen.firmware)
