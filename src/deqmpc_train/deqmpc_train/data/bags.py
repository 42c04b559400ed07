"""Recordings become a data set: each flight an episode; a bag that does not fit is refused by name."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import Task
from deqmpc_train.data.episodes import Episode, Episodes
from deqmpc_train.data.flights import Flight, flights
from deqmpc_train.data.recording import read_recording
from deqmpc_train.data.store import refuse_existing, write_data_set

PARITY = 0.05  # m, m/s, rad/s: more than some lost frames can explain
_METADATA = "metadata.yaml"
Report = Callable[[int, int], None]


@dataclass
class BagSummary:
    """taken: episodes kept by bag; refused: the reason by bag; dropped: how many flights for which reason;
    difference: largest between an estimate of the node and ours, by bag; policies: who flew.
    """

    taken: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    difference: dict[str, float] = field(default_factory=dict)
    policies: set[str] = field(default_factory=set)

    @property
    def episodes(self) -> int:
        """Episodes kept in all."""
        return sum(self.taken.values())

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {
            "bags": self.taken, "refused": self.refused, "dropped": dict(sorted(self.dropped.items())),
            "estimate_difference": self.difference, "episodes": self.episodes,
        }  # fmt: skip


def import_bags(
    places: Sequence[Path], task: Task, options: dict[str, Any], out: Path, body: str = "",
    progress: Report = lambda done, total: None,
) -> BagSummary:  # fmt: skip
    """Make data set `out` of every bag at or below the given places; what became of each.

    Nothing is written where no episode is left: the summary then says why. Raises DataError where there is no
    bag at all, or `out` is taken.
    """
    refuse_existing(out)
    bags = find_bags(places)
    summary = BagSummary()
    made: list[Episode] = []
    for done, bag in enumerate(bags):
        progress(done, len(bags))
        made += _take(bag, task, body, summary, made)
    progress(len(bags), len(bags))
    if made:
        write_data_set(out, Episodes.of(made), task, options, _origin(summary, made))
    return summary


def find_bags(places: Sequence[Path]) -> list[Path]:
    """Bags (folders with metadata.yaml, or single .mcap files) at or below the places, each once."""
    found: dict[Path, None] = {}
    for place in places:
        here = [place] if place.suffix == ".mcap" and place.is_file() else []
        here += sorted(file.parent for file in place.rglob(_METADATA)) if place.is_dir() else []
        if not here:
            raise DataError(
                f"'{place}': no bag there: expected a folder with {_METADATA}, or a folder of such"
            )
        found |= dict.fromkeys(here)
    return list(found)


def _take(bag: Path, task: Task, body: str, summary: BagSummary, before: list[Episode]) -> list[Episode]:
    name = str(bag)
    try:
        recording = read_recording(bag, body)
        _check_task(recording.notes, task)
        flown = flights(recording, task, name)
        worst = _check_parity(flown)
        _check_new([f.episode for f in flown], before)
    except DataError as error:
        summary.refused[name] = str(error)
        return []
    kept = [f.episode for f in flown if f.failure is None]
    summary.dropped.update(f.failure for f in flown if f.failure is not None)
    summary.taken[name], summary.difference[name] = len(kept), worst
    summary.policies.add(recording.notes.get("policy", "unknown"))
    return kept


def _check_task(notes: dict[str, str], task: Task) -> None:
    told = notes.get("task", task.name)
    if told != task.name:
        raise DataError(f"it was recorded for task '{told}', not '{task.name}'")


def _check_new(episodes: list[Episode], before: list[Episode]) -> None:
    known = {e.states.tobytes(): e.source for e in before}
    twice = [known[e.states.tobytes()] for e in episodes if e.states.tobytes() in known]
    if twice:
        raise DataError(f"it holds the same flight as {twice[0]}")


def _check_parity(flown: list[Flight]) -> float:
    worst = max(f.difference for f in flown)
    if not worst <= PARITY:
        raise DataError(
            f"the estimator makes other states of its poses than the node did (by {worst:.2g}); frames are "
            "missing from it, or another body or estimator flew"
        )
    return worst


def _origin(summary: BagSummary, made: list[Episode]) -> dict[str, Any]:
    return {
        "source": "from-bags", "expert": ", ".join(sorted(summary.policies)),
        "asked": summary.episodes + sum(summary.dropped.values()), "sources": [e.source for e in made],
    } | {k: v for k, v in summary.to_json().items() if k != "episodes"}  # fmt: skip
