"""Tables of the nodes' parameters as Markdown, from the dataclasses that declare them; no node is started.

    python -m deqmpc_policy_node.tables docs/nodes.md [--check]

writes (or checks) what stands between `<!-- parameters: NODE -->` and `<!-- end -->` in a page.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, cast

from deqmpc_core.errors import ConfigError
from deqmpc_policy_node.lifecycle import LifecycleParameters

MODULES = {
    "deqmpc_policy": "deqmpc_policy_node.nodes.policy",
    "deqmpc_commander": "deqmpc_policy_node.nodes.commander",
}
"""Nodes with a life cycle and the modules whose PARAMETERS they declare."""

HEAD = ("| parameter | default | range | set in flight | meaning |", "|---|---|---|---|---|")
_BLOCK = re.compile(r"(<!-- parameters: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def configs(node: str) -> tuple[type, ...]:
    """The dataclasses a node declares. Raises ConfigError for a node without a table."""
    if node not in MODULES:
        raise ConfigError(f"no table of parameters for node '{node}'; known: {', '.join(MODULES)}")
    return (LifecycleParameters, *importlib.import_module(MODULES[node]).PARAMETERS)


def table(declared: Sequence[type]) -> str:
    """The Markdown table of the fields of these dataclasses."""
    return "\n".join([*HEAD, *(_row(spec) for spec in _specs(declared))]) + "\n"


def _specs(declared: Sequence[type]) -> Iterator[Field[Any]]:
    for config in declared:
        yield from fields(cast(Any, config))


def _row(spec: Field[Any]) -> str:
    bounds = spec.metadata.get("bounds")
    span = "" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g}"
    flight = "no" if spec.metadata.get("read_only", True) else "yes"
    meaning = str(spec.metadata.get("help", spec.name.replace("_", " "))).replace("|", "\\|")
    return f"| `{spec.name}` | {_default(spec)} | {span} | {flight} | {meaning} |"


def _default(spec: Field[Any]) -> str:
    if spec.default is MISSING:
        return "required"
    value = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
    return f"`{shown or (repr(value) if not isinstance(value, str) else chr(34) + value + chr(34))}`"


def updated(page: str) -> str:
    """The page with every table as the code has it now."""
    return _BLOCK.sub(lambda found: f"{found[1]}{table(configs(found[2]))}{found[3]}", page)


def main(arguments: list[str]) -> int:
    """Write the tables of a page, or with --check tell whether they are up to date (status 1: they are
    not)."""
    path, check = Path(arguments[0]), "--check" in arguments
    page = path.read_text()
    fresh = updated(page)
    if check:
        return int(fresh != page)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(fresh)
    temporary.rename(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
