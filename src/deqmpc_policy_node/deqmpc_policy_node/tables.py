"""Tables of the nodes' parameters as Markdown, from the dataclasses that declare them; no node is started.

    python -m deqmpc_policy_node.tables docs/nodes.md [--check]

writes (or checks) the parts `parameters: NODE` of the page, see deqmpc_core.pages.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, cast

from deqmpc_core.errors import ConfigError
from deqmpc_core.pages import renew
from deqmpc_policy_node.lifecycle import LifecycleParameters

MODULES = {
    "deqmpc_policy": "deqmpc_policy_node.nodes.policy",
    "deqmpc_commander": "deqmpc_policy_node.nodes.commander",
}
"""Nodes with a life cycle and the modules whose PARAMETERS they declare."""

HEAD = ("| parameter | default | range | set in flight | meaning |", "|---|---|---|---|---|")


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


def parts() -> dict[str, str]:
    """The tables by their names in the page."""
    return {named(node): table(configs(node)) for node in MODULES}


def named(node: str) -> str:
    """The name of a node's table in a page."""
    return f"parameters: {node}"


def main(arguments: list[str]) -> int:
    """Write the tables of a page, or with --check tell whether they are up to date (status 1: they are
    not)."""
    check = "--check" in arguments
    current = renew(Path(arguments[0]), parts(), check)
    return int(check and not current)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
