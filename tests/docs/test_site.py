"""`make docs`: strict, without a warning, and nothing in the pages is fetched from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

for name in ("mkdocs", "material", "mkdocstrings"):
    pytest.importorskip(name, reason=f"'{name}' is not installed (pip install -r requirements-docs.txt)")
ROOT = Path(__file__).resolve().parents[2]
LOADS = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
FETCHED = ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload")


class Loads(HTMLParser):
    """What a page makes the browser fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        fetched = tag != "link" or any(word in FETCHED for word in (given.get("rel") or "").split())
        if fetched and given.get(LOADS.get(tag, "")):
            self.found.append(str(given[LOADS[tag]]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs") / "site"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return place


def test_the_site_is_built_and_needs_no_network_to_be_read(site: Path) -> None:
    read = [*site.rglob("*.html")]
    assert len(read) > 35
    for page in read:
        for address in Loads(page.read_text()).found:
            assert not re.match(r"(?:https?:)?//", address), f"{page.name} fetches {address}"
            if not address.startswith(("data:", "#")) and page.name != "404.html":
                assert (page.parent / address.partition("?")[0]).exists(), f"{page.name}: no {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(?:https?:)?//|@import", sheet.read_text()), sheet.name


def test_the_site_holds_the_help_of_the_commands_and_the_docstrings(site: Path) -> None:
    commands = (site / "reference" / "cli.html").read_text()
    for words in ("--learning-rate", "deqmpc data from-bags", "--faults", "usage: deqmpc eval"):
        assert words in commands
    solver = (site / "reference" / "solver.html").read_text()
    assert "al_iterations" in solver and "reference (B, T, n)" in solver
    assert "register_task" in (site / "reference" / "robots.html").read_text()
