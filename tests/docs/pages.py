"""The Markdown pages of the project, their blocks, links and headings."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
SHELL = ("", "bash", "sh")  # what a block without a language holds is commands


class Block(NamedTuple):
    """A fenced or indented block of code; line: its first, from 1."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page: the root's and those under docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def tokens(page: Path) -> list:
    """The page as markdown-it reads it."""
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def blocks(page: Path) -> Iterator[Block]:
    """Every block of code of a page."""
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            language = token.info.split()[0] if token.info.split() else ""
            yield Block(page, token.map[0] + 1, language, token.content)


def inline(page: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Line and content of every inline token of a kind: code spans as written, links and images by target."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == kind:
                place = child.attrs.get("href") or child.attrs.get("src") if child.attrs else child.content
                yield (token.map[0] + 1 if token.map else 0), str(place)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as both the site and the repository's browser make them."""
    found: set[str] = set()
    every = tokens(page)
    for i, token in enumerate(every):
        if token.type == "heading_open":
            found.add(slug("".join(c.content for c in every[i + 1].children or ())))
    return found


def slug(heading: str) -> str:
    """What is left of a heading in its anchor."""
    kept = re.sub(r"[^\w\s-]", "", heading.lower())
    return re.sub(r"[\s-]+", "-", kept.strip())
