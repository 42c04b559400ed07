"""The table of faults: a row each, as JSON and on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from deqmpc.session.faults import Fault
from deqmpc.session.flown import ENDS, LANDING, LONGEST_GAP, Flown
from deqmpc.session.settings import RunSettings
from deqmpc.session.track import Track
from deqmpc_core.flight.configuration import CommanderConfig


def flown(track: Track, settings: RunSettings, log: str) -> Flown:
    """The facts of a track."""
    return Flown(
        track.phases, track.firmware, track.setpoints, track.struck, settings.steps * settings.period,
        track.refusal, track.swap, log,
    )  # fmt: skip


def row(
    fault: Fault, track: Track, settings: RunSettings, config: CommanderConfig, log: str
) -> dict[str, Any]:
    """One fault's row; `holds` only if the answer is the one demanded and the three laws hold.

    The laws: no unsafe setpoint, no gap above 0.2 s while the policy flies, no crash; a fault that kills the
    commander is excused from the last two.
    """
    seen = flown(track, settings, log)
    unsafe, gap = seen.unsafe(config), seen.longest_gap
    broken = [fault.judge(seen), *(f"unsafe setpoint at {sentence}" for sentence in unsafe[:1])]
    if not fault.lethal and gap > LONGEST_GAP:
        broken.append(f"no setpoint for {gap:.2f} s in state POLICY")
    if not fault.lethal and seen.crash:
        broken.append(f"the robot crashed: it {seen.crash}")
    objections = [sentence for sentence in broken if sentence]
    return {
        "fault": fault.name, "strikes": fault.where, "what": fault.what, "speed": settings.speed,
        "expected": fault.expected, "seen": sentence(seen), "holds": not objections,
        "objections": objections, "longest_gap_s": round(gap, 4), "setpoints": len(seen.setpoints),
        "unsafe_setpoints": len(unsafe), "crash": seen.crash, "struck_s": seen.struck,
        "happened": track.report(),
    }  # fmt: skip


def sentence(seen: Flown) -> str:
    """What happened, in one line."""
    if seen.refusal:
        return f"refused: {seen.refusal}"
    parts, landing, span = [], seen.since(LANDING), seen.policy_span
    if seen.swap is not None:
        parts.append(f"load_policy answered {'yes' if seen.swap[0] else 'no'}: {seen.swap[1]}")
    if landing is not None and landing >= seen.struck:
        parts.append(f"landing {landing - seen.struck:.2f} s after the strike")
    elif span is not None:
        parts.append(f"flew {span[1] - span[0]:.1f} s of {seen.due:.1f} s")
    if seen.reason:
        parts.append(seen.reason)
    parts += [text for _, text in seen.firmware if "levelled out" in text or "locked" in text]
    parts.append(seen.end if seen.end in ENDS else f"ended in {seen.end or 'nothing'}")
    return "; ".join(parts + ([f"crash: {seen.crash}"] if seen.crash else []))


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """For the terminal; what is wrong is said in full."""
    shown = Table(title=f"{len(rows)} faults, {sum(not r['holds'] for r in rows)} not answered as demanded")
    for name in ("fault", "demanded", "seen", "gap [s]", "holds"):
        shown.add_column(name, overflow="fold")
    for entry in rows:
        seen = "; ".join([entry["seen"], *(f"[red]{text}[/red]" for text in entry["objections"])])
        holds = "yes" if entry["holds"] else "[red]NO[/red]"
        shown.add_row(entry["fault"], entry["expected"], seen, f"{entry['longest_gap_s']:.2f}", holds)
    return shown
