"""The generated parts of Markdown pages: what stands between `<!-- NAME -->` and `<!-- end -->`."""

from collections.abc import Mapping
from pathlib import Path

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import write_text

_END = "<!-- end -->"


def filled(page: str, parts: Mapping[str, str]) -> str:
    """The page with each part, by its name, as given here. Raises ConfigError where a mark is missing."""
    for name, text in parts.items():
        begin = f"<!-- {name} -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(_END)
        if not found or not ended:
            raise ConfigError(f"no lines '{begin.strip()}' and '{_END}' to put '{name}' between")
        page = f"{before}{begin}{text}{_END}{after}"
    return page


def renew(place: Path, parts: Mapping[str, str], check: bool = False) -> bool:
    """Whether the page was up to date; where it was not it is written, unless only checked.

    Raises ConfigError, naming the page, where a mark is missing.
    """
    page = place.read_text()
    try:
        fresh = filled(page, parts)
    except ConfigError as error:
        raise ConfigError(f"'{place}': {error}") from error
    if fresh != page and not check:
        write_text(place, fresh)
    return fresh == page
