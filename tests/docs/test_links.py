"""No link, anchor, path or name in the pages is dead."""

import importlib
import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, inline, pages

ELSEWHERE = ("http://", "https://", "mailto:")
# A path in a code span is looked for when it begins like this; runs/, data/ and build/ are made by commands.
OURS = ("src/", "docs/", "examples/", "tests/", "tools/", "launch/", "config/", "docker/", "deqmpc_core/",
        "deqmpc_train/", "deqmpc_sim/", "mpc/", "nets/", "policies/", "kernels/", "results/")  # fmt: skip
BASES = (ROOT, ROOT / "docs", *(ROOT / "src" / p for p in ("deqmpc_core", "deqmpc_train", "deqmpc_sim")),
         ROOT / "src/deqmpc_core/deqmpc_core", ROOT / "src/deqmpc_core/deqmpc_core/mpc")  # fmt: skip
ROOMS = ("deqmpc_core.", *(f"deqmpc_core.{room}." for room in ("mpc", "systems", "policies", "nets")))
DOTTED = re.compile(r"^(?:deqmpc_\w+|mpc|nets|policies|systems)(?:\.\w+)+$")


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_link_of_the_page_is_dead(page: Path) -> None:
    for kind in ("link_open", "image"):
        for line, target in inline(page, kind):
            if not target.startswith(ELSEWHERE):
                path, _, anchor = target.partition("#")
                there = (page.parent / path).resolve() if path else page
                assert there.exists(), f"{page.name}:{line}: '{target}' is not there"
                assert there.is_relative_to(ROOT), f"{page.name}:{line}: '{target}' is not of the project"
                assert not anchor or anchor in anchors(there), f"{page.name}:{line}: no heading '{target}'"


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_and_name_that_the_page_speaks_of_exists(page: Path) -> None:
    for line, span in inline(page, "code_inline"):
        word = span.strip("/")
        if re.fullmatch(r"[\w./-]+", span) and span.startswith(OURS) and "…" not in span:
            assert any((base / word).exists() for base in BASES), f"{page.name}:{line}: no file '{span}'"
        elif DOTTED.match(span) and not word.endswith((".py", ".json", ".md", ".npz", ".xml")):
            assert exists(span), f"{page.name}:{line}: no name '{span}'"


def exists(name: str) -> bool:
    """Whether a dotted name can be imported, from the root or from a room of the core."""
    return any(resolved(room + name) for room in ("", *ROOMS))


def resolved(name: str) -> bool:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            if not hasattr(thing, part):
                return part in getattr(thing, "__annotations__", {})  # a field without a default
            thing = getattr(thing, part)
        return True
    return False


def test_a_name_that_is_not_there_is_found_out() -> None:
    assert exists("deqmpc_core.mpc.TrackingSolver") and exists("mpc.lagrangian.Lagrangian.merit")
    assert not exists("deqmpc_core.mpc.NoSolver") and not exists("nets.network.WaypointNetwork.no_such")
