"""What builds the message packages: a C++ compiler, make, Python's headers. Flying needs none of them."""

import importlib.util
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor.finding import Finding, error, ok, warning

CHECK = "compiler"
PACKAGES = {"g++": "g++", "make": "make", "Python.h": "python3-dev"}
"""Tool and the Debian package it comes from."""


@dataclass(frozen=True)
class Tools:
    """missing: keys of PACKAGES; built: whether our message package is there already."""

    missing: tuple[str, ...]
    built: bool


def gather() -> Tools:
    """What PATH and Python's include folder hold."""
    has = {name: shutil.which(name) is not None for name in ("g++", "make")}
    has["Python.h"] = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    built = importlib.util.find_spec("deqmpc_interfaces") is not None
    return Tools(tuple(name for name, there in has.items() if not there), built)


def check(tools: Tools) -> list[Finding]:
    """An error only where something is left to build."""
    if not tools.missing:
        return [ok(CHECK, ", ".join(PACKAGES))]
    what = f"no {', no '.join(tools.missing)}"
    remedy = f"apt install {' '.join(PACKAGES[name] for name in tools.missing)}"
    if tools.built:
        return [warning(CHECK, f"{what}: the message packages are built, but cannot be built again", remedy)]
    return [error(CHECK, f"{what}: the message packages cannot be built", remedy)]
