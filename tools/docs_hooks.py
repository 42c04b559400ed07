"""What `make docs` adds to the pages: the help of every command, as the commands print it."""

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import Any

from deqmpc.cli import main, verbs
from deqmpc_core.pages import filled

PAGE, PART, WIDTH = "reference/cli.md", "cli", 100


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page of commands with their help in it; other pages as they are."""
    if page.file.src_uri != PAGE:
        return markdown
    return filled(markdown, {PART: "\n".join(section(words) for words in commands())})


def section(words: list[str]) -> str:
    """A heading and the help of one command."""
    return f"## deqmpc {' '.join(words)}\n\n```text\n{help_of(words)}\n```\n"


def commands() -> Iterator[list[str]]:
    """Every verb, and after it its own verbs where it has any."""
    for verb in sorted(verbs()):
        yield [verb]
        below = re.search(r"\{([a-z,-]+)\}", help_of([verb]).partition("\n\n")[0])
        for name in below[1].split(",") if below else ():
            yield [verb, name]


def help_of(words: list[str]) -> str:
    """What `deqmpc <words> --help` prints, at most WIDTH columns wide."""
    os.environ["COLUMNS"] = str(WIDTH)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return re.sub(r"\x1b\[[0-9;]*m", "", printed.getvalue()).strip()
