"""Every fault `deqmpc sim --faults` can bring about: where it strikes, what it does, the answer demanded.

docs/simulator.md shows this table; tools/simulator_page.py writes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from deqmpc.session import answers
from deqmpc.session.flown import Flown
from deqmpc_core.errors import UnknownNameError
from deqmpc_sim.strikes import Strike

Where = Literal["mocap", "policy", "commander", "radio", "process", "disk", "server", "battery"]
Swap = Literal["", "corrupt", "other_task"]
ALL = "all"
AFTER_STEPS = 30
"""Policy periods flown before the fault strikes."""
AFTER = 0.1 * AFTER_STEPS
"""The same in seconds of the task's 0.1 s periods."""


@dataclass(frozen=True)
class Fault:
    """One fault. expected: the answer demanded, in words; judge: the same as a predicate, returns what is
    wrong with the flight seen, or nothing.

    How it is brought about, one of: strike, asked of the simulator; kill, a process to end by SIGKILL; spoil,
    how the policy misbehaves from the strike on; swap, the policy asked for in flight; disk_size, the bytes
    on the recorder's disk. realtime: it has no meaning where time waits. lethal: the commander dies,
    a crash is expected.
    """

    name: str
    where: Where
    what: str
    expected: str
    judge: Callable[[Flown], str]
    strike: Strike | None = None
    kill: str = ""
    spoil: str = ""
    swap: Swap = ""
    disk_size: int = 0
    realtime: bool = False
    lethal: bool = False
    grounded: bool = False

    @property
    def own_stack(self) -> bool:
        """It touches a process, so no other flight shares its processes."""
        return self.strike is None

    @property
    def needs_recorder(self) -> bool:
        """Without a recorder there is nothing to strike."""
        return self.kill == "recorder" or self.disk_size > 0


def _mocap(kind: str, seconds: float, value: float = 0.0) -> Strike:
    return Strike(kind, AFTER, seconds, value)


ON = "flies on to its end, lands"
LAND = "held, beyond 0.5 s notify and land"
_FAULTS = (
    Fault("mocap_silent_0.2s", "mocap", "no frame for 0.2 s", f"the shifted plan; {ON}",
          answers.flies_on, _mocap("mocap_silent", 0.2)),
    Fault("mocap_silent_0.6s", "mocap", "no frame for 0.6 s",
          "the shifted plan, from 0.2 s the last safe setpoint, from 0.5 s notify and land",
          answers.lands(0.4, 0.9), _mocap("mocap_silent", 0.6)),
    Fault("mocap_silent_3s", "mocap", "no frame for 3 s", f"shifted plan, {LAND} on the robot's own estimate",
          answers.lands(0.4, 0.9), _mocap("mocap_silent", 3.0)),
    Fault("mocap_frozen", "mocap", "the last pose with fresh stamps for 1 s",
          f"ignored, counts as age: {LAND}", answers.lands(0.4, 1.0), _mocap("mocap_frozen", 1.0)),
    Fault("mocap_jump", "mocap", "poses 1 m off for 0.3 s", f"ignored, counts as age; {ON}",
          answers.flies_on_smoothly, _mocap("mocap_jump", 0.3, 1.0)),
    Fault("mocap_nan", "mocap", "positions not a number for 1 s", f"ignored, counts as age: {LAND}",
          answers.lands(0.4, 0.9), _mocap("mocap_nan", 1.0)),
    Fault("mocap_wrong_body", "mocap", "another body instead of the robot for 1 s",
          f"ignored, counts as age: {LAND}", answers.lands(0.4, 0.9), _mocap("mocap_wrong_body", 1.0)),
    Fault("mocap_reordered", "mocap", "frames up to 5 frames late, overtaken by later ones, for good",
          f"older frames ignored; {ON}", answers.flies_on, _mocap("mocap_reordered", 0.0, 5.0)),
    Fault("clock_step", "mocap", "the clock that stamps poses steps back by 5 s",
          "poses count as old: lands, or flies on; no crash", answers.comes_down,
          _mocap("clock_step", 0.0, -5.0)),
    Fault("solver_nan", "policy", "every plan is NaN", f"previous plan shifted, then {LAND}",
          answers.lands(0.2, 1.0), spoil="solver_nan"),
    Fault("solver_not_converged", "policy", "every solve ends above the tolerance",
          "from the third such plan on the previous one shifted, then held, then land",
          answers.lands(0.3, 1.4), spoil="solver_not_converged"),
    Fault("tick_overrun_1x", "policy", "one tick takes a period too long", f"the shifted plan; {ON}",
          answers.flies_on, spoil="tick_overrun_1x", realtime=True),
    Fault("tick_overrun_5x", "policy", "one tick takes five periods too long",
          "the shifted plan, the last safe setpoint; lands, or flies on if the plan comes within 0.5 s",
          answers.comes_down, spoil="tick_overrun_5x", realtime=True),
    Fault("swap_corrupt", "policy", "load_policy with a truncated bundle",
          f"refused with a reason, the old policy {ON}", answers.refuses_swap, swap="corrupt"),
    Fault("swap_other_task", "policy", "load_policy with a bundle of another task",
          f"refused with a reason, the old policy {ON}", answers.refuses_swap, swap="other_task"),
    Fault("policy_killed", "process", "kill -9 of the policy", f"plans late: {LAND}",
          answers.lands(0.0, 1.1), kill="policy"),
    Fault("commander_killed", "commander", "kill -9 of the commander",
          "the firmware levels out after 0.5 s, cuts and locks the motors after 2 s",
          answers.is_cut, kill="commander", lethal=True),
    Fault("recorder_killed", "process", "kill -9 of the recorder", f"the flight {ON}", answers.flies_on,
          kill="recorder"),
    Fault("disk_full", "disk", "the recorder's disk has 4.28 MB and runs full",
          f"recording ends and says so, the flight {ON}", answers.outlives_recording, disk_size=4_280_000),
    Fault("service_absent", "server", "the server does not offer notify_setpoints_stop",
          "the start is refused, naming the service; nothing flies", answers.refuses("notify_setpoints_stop"),
          Strike("service_absent", target="notify_setpoints_stop"), grounded=True),
    Fault("radio_loss_30", "radio", "30 % of all transmissions are lost, for good", f"the flight {ON}",
          answers.flies_on, Strike("radio_loss", AFTER, 0.0, 0.3)),
    Fault("battery_low", "battery", "the battery is empty: below 3.1 V under load",
          "notify and land", answers.lands_for("battery"), Strike("battery", 0.5, 0.0, 0.005)),
)  # fmt: skip
FAULTS = {fault.name: fault for fault in _FAULTS}


def parse_faults(text: str) -> tuple[str, ...]:
    """Names separated by commas, or `all`; raises UnknownNameError with a hint."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in FAULTS and name != ALL:
            raise UnknownNameError("fault", name, [ALL, *FAULTS])
    return tuple(FAULTS) if ALL in names else tuple(dict.fromkeys(names))


def markdown(faults: Sequence[Fault] = _FAULTS) -> str:
    """The table of docs/simulator.md."""
    rows = ["| fault | strikes | what happens | the answer demanded |", "|---|---|---|---|"]
    rows += [f"| `{fault.name}` | {fault.where} | {fault.what} | {fault.expected} |" for fault in faults]
    return "\n".join(rows)
