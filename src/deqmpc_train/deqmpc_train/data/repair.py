"""Bags that a kill left open are closed: the MCAP file gets its index and end, metadata.yaml is made again,
<name>.active becomes <name>."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deqmpc_core.bag_metadata import ACTIVE, BALLAST, METADATA, ROOT, bag_metadata
from deqmpc_core.errors import DataError
from deqmpc_train.data.salvage import Salvage, read_salvage, salvage

NOTE = "repaired"


@dataclass(frozen=True)
class Repaired:
    """A bag that opens now. note: what was wrong with it; empty when nothing was."""

    bag: Path
    messages: int
    note: str


def broken_bags(places: Sequence[Path]) -> list[Path]:
    """The folders among and below the places that a recorder left open; a place that is a bag itself counts
    too.

    Raises DataError for a place that does not exist.
    """
    found: dict[Path, None] = {}
    for place in places:
        if not place.is_dir():
            raise DataError(f"'{place}': no such folder; give a bag, or a folder with bags in it")
        here = [place] if place.name.endswith(ACTIVE) or list(place.glob("*.mcap")) else []
        here += sorted(path for path in place.rglob(f"*{ACTIVE}") if path.is_dir())
        found |= dict.fromkeys(here)
    return list(found)


def repair(bag: Path) -> Repaired:
    """Close one bag. Raises DataError, with nothing changed, when there is nothing to close or it is still
    being recorded."""
    file, final = _only_file(bag), _final(bag)
    if final != bag and final.exists():
        raise DataError(f"'{bag}' cannot become '{final.name}': that exists; move one of the two")
    with _alone(file):
        notes, old = _notes(bag)
        found = read_salvage(file)
        if final == bag and found.whole and old.get("message_count") == found.messages:
            return Repaired(bag, found.messages, "")
        return _close(bag, file, final, notes)


def _only_file(bag: Path) -> Path:
    files = sorted(bag.glob("*.mcap"))
    if len(files) != 1:
        raise DataError(f"'{bag}': expected one .mcap file, got {len(files)}")
    return files[0]


def _final(bag: Path) -> Path:
    name = bag.name.removesuffix(ACTIVE)
    return bag.with_name(name) if name else bag


def _close(bag: Path, file: Path, final: Path, notes: dict[str, str]) -> Repaired:
    """The whole file beside the broken one, then renamed over it: a kill in between loses nothing."""
    temporary = file.with_name(file.name + ".new")
    try:
        found = salvage(file, temporary)
        note = _note(found)
        _write_metadata(bag, file.name, found, notes | ({NOTE: note} if note else {}))
        os.replace(temporary, file)
        os.replace(bag / f"{METADATA}.new", bag / METADATA)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(f"'{bag}' was not closed: {error.strerror or error}; free some space") from error
    (bag / BALLAST).unlink(missing_ok=True)
    if final != bag:
        bag.rename(final)
    return Repaired(final, found.messages, note or "metadata.yaml was old")


def _note(found: Salvage) -> str:
    return "" if found.whole else f"cut off while it was recorded ({found.reason})"


def _write_metadata(bag: Path, file_name: str, found: Salvage, notes: dict[str, str]) -> None:
    document = bag_metadata(file_name, found.topics, found.first, found.last, notes)
    (bag / f"{METADATA}.new").write_text(yaml.safe_dump(document, sort_keys=False))


def _notes(bag: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """custom_data, and all that the old metadata.yaml told; nothing when it is no such document."""
    try:
        document = yaml.safe_load((bag / METADATA).read_text(errors="replace"))
    except (OSError, yaml.YAMLError):
        return {}, {}
    told = document.get(ROOT) if isinstance(document, dict) else None
    told = told if isinstance(told, dict) else {}
    notes = told.get("custom_data")
    notes = notes if isinstance(notes, dict) else {}
    return {str(key): str(value) for key, value in notes.items()}, told


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """A recorder holds a lock on its file as long as it lives."""
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"'{file}' is still being recorded; stop the recorder first") from error
        yield
