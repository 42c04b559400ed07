"""The command `deqmpc <verb> ...`. Verbs are entry points of the installed packages (group
"deqmpc.verbs")."""

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from deqmpc_core.errors import DeqmpcError, UnknownNameError

GROUP = "deqmpc.verbs"
BUILT_IN = {
    "sim": "deqmpc.verbs.sim:main",
    "train": "deqmpc_train.verbs.train:main",
    "data": "deqmpc_train.verbs.data:main",
    "expert": "deqmpc_train.verbs.expert:main",
    "eval": "deqmpc_train.verbs.eval:main",
    "compare": "deqmpc_train.verbs.compare:main",
    "paper": "deqmpc_train.verbs.paper:main",
    "policies": "deqmpc_train.verbs.policies:main",
    "sweep": "deqmpc_train.verbs.sweep:main",
    "bench": "deqmpc.verbs.bench:main",
}
Verb = Callable[[Sequence[str]], int]


def verbs() -> dict[str, str]:
    """Name of every verb and where its main(arguments) -> exit status is; installed packages override the
    built-in table."""
    return {**BUILT_IN, **{entry.name: entry.value for entry in entry_points(group=GROUP)}}


def _load(name: str) -> Verb:
    known = verbs()
    if name not in known:
        raise UnknownNameError("verb", name, known)
    module, _, function = known[name].partition(":")
    return getattr(importlib.import_module(module), function)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb named by the first argument; errors of ours become one sentence and status 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"usage: deqmpc VERB [options], VERB one of: {', '.join(sorted(verbs()))}\n")
        return 0 if arguments else 2
    try:
        return _load(arguments[0])(arguments[1:])
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc: {error}\n")
        return 2
