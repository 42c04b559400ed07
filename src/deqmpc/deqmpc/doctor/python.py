"""The interpreter and the machine it runs on."""

import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor.finding import Finding, error, ok, warning

CHECK, DISK = "python", "disk"
VERSIONS = ((3, 11), (3, 12))
LITTLE = 2 * 1024**3
"""Bytes: a recorded flight takes some 20 MB, the kernels' cache some 200."""


@dataclass(frozen=True)
class Interpreter:
    """version: (major, minor); machine: e.g. "Linux x86_64"; free: bytes left where runs/ would be."""

    version: tuple[int, int]
    executable: str
    machine: str
    free: int


def gather(place: Path = Path()) -> Interpreter:
    """This process's."""
    version = sys.version_info.major, sys.version_info.minor
    machine = f"{platform.system()} {platform.machine()}"
    return Interpreter(version, sys.executable, machine, shutil.disk_usage(place.resolve()).free)


def check(found: Interpreter) -> list[Finding]:
    """Version, machine and room on the disk."""
    return [_version(found), _disk(found)]


def _version(found: Interpreter) -> Finding:
    words = f"Python {found.version[0]}.{found.version[1]} on {found.machine} ({found.executable})"
    wanted = " or ".join(f"{major}.{minor}" for major, minor in VERSIONS)
    if found.version < min(VERSIONS):
        remedy = "apt install python3.12 python3.12-venv python3.12-dev"
        return error(CHECK, f"{words}; {wanted} is needed", remedy)
    if found.version not in VERSIONS:
        remedy = f"make a virtual environment of {wanted}"
        return warning(CHECK, f"{words} was not tried; {wanted} was", remedy)
    if found.machine != "Linux x86_64":
        remedy = "for ROS 2 use docker/ or a full ROS 2 Jazzy; core and training work here"
        return warning(CHECK, f"{words}: the ROS 2 wheels are for x86-64 Linux", remedy)
    return ok(CHECK, words)


def _disk(found: Interpreter) -> Finding:
    words = f"{found.free / 1024**3:.1f} GiB free for recordings"
    if found.free < LITTLE:
        return warning(DISK, words, "make room, or fly with --runs-dir on another disk")
    return ok(DISK, words)
