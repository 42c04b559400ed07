"""Shell completion: the verbs' options as one argparse parser, which shtab turns into a script."""

import argparse
import importlib
from collections.abc import Mapping
from typing import Any

from deqmpc.cli import ABOUT, verbs
from deqmpc_core.errors import ConfigError

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The script for a shell. Raises ConfigError where shtab is not installed."""
    try:
        import shtab
    except ImportError as why:
        raise ConfigError(f"completion needs the package shtab ({why}); pip install shtab") from why
    return shtab.complete(_mark_files(command(), shtab.FILE), shell)


def command() -> argparse.ArgumentParser:
    """`deqmpc` as argparse knows commands: verbs, their sub-verbs, options and choices."""
    top = argparse.ArgumentParser(prog="deqmpc")
    group = top.add_subparsers()
    for name, place in verbs().items():
        module = importlib.import_module(place.partition(":")[0])
        parser = group.add_parser(name, help=ABOUT.get(name))
        options: Any = getattr(module, "OPTIONS", None)
        if isinstance(options, Mapping):
            inner = parser.add_subparsers()
            for word, kind in options.items():
                _copy(kind, inner.add_parser(word, help=_first_sentence(kind)))
        elif options is not None:
            _copy(options, parser)
    return top


def _copy(kind: Any, parser: argparse.ArgumentParser) -> None:
    """The options of a dataclass as tyro reads them."""
    from tyro.extras import get_parser

    for action in get_parser(kind)._actions:
        if "--help" in action.option_strings or not (action.option_strings or action.metavar):
            continue
        words = {"help": _one_line(action.help), "metavar": action.metavar}
        if action.nargs != 0:
            words |= {"choices": action.choices, "nargs": action.nargs if action.option_strings else "*"}
        else:
            words = {"help": words["help"], "action": "store_true"}
        parser.add_argument(*(action.option_strings or (str(action.dest),)), **words)


def _one_line(text: Any) -> str:
    """shtab puts it into the script; without what shells or argparse take for their own."""
    kept = "".join(c for c in str(text or "") if c.isalnum() or c in " ,.-")
    return " ".join(kept.split())[:60]


def _first_sentence(kind: type) -> str:
    return _one_line((kind.__doc__ or "").strip().partition(".")[0])


def _mark_files(parser: argparse.ArgumentParser, file: Any) -> argparse.ArgumentParser:
    """Options that take a path complete files."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _mark_files(inner, file)
        elif "PATH" in str(action.metavar):
            action.complete = file  # type: ignore[attr-defined]
    return parser
