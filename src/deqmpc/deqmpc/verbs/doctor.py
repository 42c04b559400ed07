"""`deqmpc doctor`: is this machine, environment and running graph fit to fly, and if not, what to do.

It must run where things are missing: everything but the standard library is imported where it is used.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor import bundles, compiler, discovery, graph, kernels, listening, packages, python, ros
from deqmpc.doctor.finding import Finding, Level, error, report, skipped
from deqmpc_core.errors import INTERRUPTED, DeqmpcError

FAILED = 1
COLOURS = {Level.OK: "32", Level.SKIPPED: "2", Level.WARNING: "33", Level.ERROR: "31"}
_WIDTH = max(len(level.value) for level in Level)


@dataclass(frozen=True)
class Doctor:
    """Check Python, packages, compiler, kernels, policy bundles, ROS 2, DDS and a running graph.

    A line each: ok, skipped, warning or error, with what to do. The status is 1 when there is an error.
    Nothing is changed; docs/doctor.md tells more.
    """

    policies: tuple[str, ...] = ()
    """Only these bundles, by path or name; their golden outputs are recomputed even if kernels must be
    compiled for it. By default all, where the kernels are compiled."""
    graph: bool = True
    """Look at DDS and the running graph of $ROS_DOMAIN_ID."""
    seconds: float = 3.0
    """How long rates are counted."""
    config: Path | None = None
    """A parameter file (config/hw.yaml) whose rigid bodies are looked for when no node of ours runs."""
    robot: str = "cf1"
    """The robot's name, for a parameter file that leaves the body's name out."""
    json: Path | None = None
    """Write the findings here."""


OPTIONS = Doctor


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    options = _options(arguments)
    findings: list[Finding] = []
    try:
        for finding in examined(options, _note):
            _note("")
            findings.append(finding)
            sys.stdout.write(_line(finding) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        _note("")
        sys.stdout.write("stopped\n")
        return INTERRUPTED
    except DeqmpcError as why:
        sys.stderr.write(f"deqmpc doctor: {why}\n")
        return why.status
    document = report(findings)
    counts = ", ".join(f"{count} {word}" for word, count in document["counts"].items() if count)
    sys.stdout.write(f"{counts}\n")
    if options.json is not None:
        from deqmpc_core.files import write_json

        write_json(options.json, document)
    return 0 if document["sound"] else FAILED


def _options(arguments: Sequence[str] | None) -> Doctor:
    """Without tyro there are no options; the report says that it is missing."""
    try:
        import tyro
    except ImportError:
        return Doctor()
    return tyro.cli(Doctor, args=arguments, prog="deqmpc doctor")


def examined(options: Doctor, note: Callable[[str], None]) -> Iterator[Finding]:
    """All findings, in the order in which one explains the next. note: told what is under way."""
    for name, stage in (
        (python.CHECK, lambda: python.check(python.gather())),
        (packages.CHECK, lambda: packages.check(packages.gather())),
        (compiler.CHECK, lambda: compiler.check(compiler.gather())),
        (bundles.CHECK, lambda: _policies(options, note)),
    ):
        note(f"looking at {name}")
        yield from _sheltered(name, stage)
    environment = ros.check(ros.gather())
    yield from environment
    sound = all(finding.level is not Level.ERROR for finding in environment)
    yield from _dds(options, note) if _here("rclpy") and options.graph and sound else [_no_dds(options)]


def _dds(options: Doctor, note: Callable[[str], None]) -> Iterator[Finding]:
    """Only where the environment is sound: what is wrong with it can end the process."""
    for name, stage in (
        (discovery.CHECK, lambda: discovery.check(discovery.gather(_domain()))),
        (graph.NODES, lambda: graph.check(_running(options))),
    ):
        note(f"looking at {name}")
        yield from _sheltered(name, stage)


def _no_dds(options: Doctor) -> Finding:
    why = "first mend what is said of ROS 2" if options.graph else "--no-graph"
    return skipped(discovery.CHECK, f"DDS and the running graph were not looked at: {why}")


def _here(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _running(options: Doctor) -> graph.Graph:
    return listening.gather(options.seconds, options.config, options.robot)


def _policies(options: Doctor, note: Callable[[str], None]) -> list[Finding]:
    """Kernels first: recomputing golden outputs may compile them."""
    directories, lost = bundles.places(options.policies)
    cache = kernels.gather(directories)
    recompute = (lambda _: True) if options.policies else kernels.ready
    looked = bundles.gather(directories, recompute, note)
    return [*kernels.check(cache), *bundles.check([*looked, *lost])]


def _sheltered(name: str, stage: Callable[[], list[Finding]]) -> list[Finding]:
    """A check that cannot run is a line of its own; the rest goes on."""
    try:
        return stage()
    except DeqmpcError:
        raise
    except ImportError as why:
        return [skipped(name, f"could not be looked at: {why}", "see the lines 'packages' and 'ROS 2'")]
    except Exception as why:
        text = f"could not be looked at: {type(why).__name__}: {why}"
        return [error(name, text, "if the lines above do not explain it, report it with --json FILE")]


def _domain() -> str:
    return os.environ.get("ROS_DOMAIN_ID") or "0"


def _line(finding: Finding) -> str:
    """level, check: text; the remedy on a line of its own."""
    word = finding.level.value.ljust(_WIDTH)
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        word = f"\033[{COLOURS[finding.level]}m{word}\033[0m"
    line = f"{word}  {finding.check}: {finding.text}"
    return f"{line}\n{' ' * _WIDTH}  -> {finding.remedy}" if finding.remedy else line


def _note(text: str) -> None:
    """What is under way, on one line of the terminal that the next one replaces."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
