"""Every piece of Python in the pages runs, those of a page one after another in one namespace."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

import deqmpc_core.tasks
from tests.docs.pages import ROOT, blocks, pages

WITH_PYTHON = [page for page in pages() if any(b.language == "python" for b in blocks(page))]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_python_of_the_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deqmpc_core.tasks, "_TASKS", dict(deqmpc_core.tasks._TASKS))
    module = ModuleType("a_page_of_the_docs")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks(page):
        if block.language == "python":
            padded = "\n" * block.line + block.text  # so that a traceback names the page's own line
            exec(compile(padded, str(page), "exec"), module.__dict__)


def test_the_readme_s_example_is_short_and_ends_where_it_says() -> None:
    (example,) = [b.text for b in blocks(ROOT / "README.md") if b.language == "python"]
    assert len(example.strip().splitlines()) <= 15


def test_python_is_marked_as_python() -> None:
    """A block that imports something is run, unless it says that it is text."""
    for page in pages():
        for block in blocks(page):
            if block.language in ("", "py", "python3"):
                assert "\nimport " not in "\n" + block.text, f"{block.place}: begin the block with ```python"
