"""Our packages and all they need: installed, and of versions that fit one another."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution

from deqmpc.doctor.finding import Finding, error, ok, skipped

CHECK = "packages"
OURS = ("deqmpc_core", "deqmpc_sim", "deqmpc_train", "deqmpc_policy_node", "deqmpc")


@dataclass(frozen=True)
class Need:
    """A package, the versions `by` asks for (e.g. ">=0.61,<0.70"; empty: any), what is installed (None:
    nothing), and whether that fits."""

    name: str
    wanted: str
    by: str
    found: str | None
    fits: bool


def gather(roots: Iterable[str] = OURS) -> list[Need] | None:
    """Every requirement that holds here, of the roots and of what they require; None where `packaging`, which
    compares versions, is not installed itself."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return None
    needs, queue, seen = [], list(roots), set()
    while queue:
        by = queue.pop(0)
        if _plain(by) in seen:
            continue
        seen.add(_plain(by))
        for text in _required(by):
            asked = Requirement(text)
            if asked.marker is not None and not asked.marker.evaluate({"extra": ""}):
                continue
            found = _version(asked.name)
            fits = found is not None and asked.specifier.contains(found, prereleases=True)
            needs.append(Need(asked.name, str(asked.specifier), by, found, fits))
            queue.append(asked.name)
    return needs


def check(needs: Sequence[Need] | None) -> list[Finding]:
    """A line for each that is missing or of a version that does not fit; one line where all is well."""
    again = "pip install -r requirements.txt (or: make env)"
    if needs is None:
        return [error(CHECK, "the package 'packaging' is not installed", again)]
    if not needs:
        return [skipped(CHECK, "none of ours is installed as a package", "pip install ./src/deqmpc_core")]
    found = []
    for need in {(n.name, n.wanted, n.by): n for n in needs if not n.fits}.values():
        if need.found is None:
            text = f"'{need.name}' is not installed; {need.by} needs it"
        else:
            text = f"'{need.name}' is {need.found}; {need.by} needs {need.wanted}"
        found.append(error(CHECK, text, again))
    sound = len({n.name for n in needs})
    return found or [ok(CHECK, f"{sound} packages, all of versions that fit")]


def _required(name: str) -> list[str]:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


def _version(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
