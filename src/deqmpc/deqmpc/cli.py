"""The command `deqmpc <verb> ...`. Verbs are entry points of the installed packages (group
"deqmpc.verbs")."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from deqmpc_core import __version__
from deqmpc_core.errors import INTERRUPTED, DeqmpcError, UnknownNameError

GROUP = "deqmpc.verbs"
BUILT_IN = {
    "sim": "deqmpc.verbs.sim:main",
    "report": "deqmpc.verbs.report:main",
    "doctor": "deqmpc.verbs.doctor:main",
    "data": "deqmpc_train.verbs.data:main",
    "train": "deqmpc_train.verbs.train:main",
    "eval": "deqmpc_train.verbs.eval:main",
    "compare": "deqmpc_train.verbs.compare:main",
    "expert": "deqmpc_train.verbs.expert:main",
    "policies": "deqmpc_train.verbs.policies:main",
    "bench": "deqmpc.verbs.bench:main",
    "paper": "deqmpc_train.verbs.paper:main",
    "sweep": "deqmpc_train.verbs.sweep:main",
    "completion": "deqmpc.verbs.completion:main",
}
ABOUT = {
    "sim": "fly a policy on the simulated Crazyflie or another robot; --view",
    "report": "one HTML file about a flight or a training run",
    "doctor": "what is wrong with this machine, environment or running graph",
    "data": "make, import, look at and repair data sets and recordings",
    "train": "a policy from a data set, by imitation",
    "eval": "policies side by side on the same starts",
    "compare": "train all variants alike and fly them from the same starts",
    "expert": "train and judge the tasks' experts",
    "policies": "list, show, verify and time policy bundles",
    "bench": "how fast and how robust: solver, training, margins",
    "paper": "the paper's figures and tables",
    "sweep": "compute the jobs behind the paper's figures",
    "completion": "completion of verbs and options for bash, zsh or fish",
}
"""A sentence a verb; importing verbs for their own would take seconds."""

WRONG_USE, BROKEN_PIPE = 2, 141
_HELP, _VERSION = ("-h", "--help", "help"), ("--version",)
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


def usage() -> str:
    """The verbs with a sentence each; fits 80 x 24."""
    rows = [f"  {name:<12}{ABOUT.get(name, 'of another package')}" for name in verbs()]
    head = "usage: deqmpc VERB [options]       deqmpc VERB --help tells of one verb"
    foot = "Exit status: 0 done, 1 failed, 2 wrong use, 130 stopped. NO_COLOR=1: no colours."
    return "\n".join([head, "", *rows, "", foot]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the verb named by the first argument; errors of ours become one sentence and their status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in _HELP:
        sys.stdout.write(usage())
        return 0 if arguments else WRONG_USE
    if arguments[0] in _VERSION:
        sys.stdout.write(f"deqmpc {__version__}\n")
        return 0
    try:
        return _run(arguments)
    except BrokenPipeError:  # the reader of a pipe has seen enough, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _run(arguments: Sequence[str]) -> int:
    try:
        status = _load(arguments[0])(arguments[1:])
        sys.stdout.flush()
        return status
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc: {error}\n")
        return error.status
    except ModuleNotFoundError as error:
        sys.stderr.write(f"deqmpc: {error}; `deqmpc doctor` says what is missing and how to get it\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return INTERRUPTED
