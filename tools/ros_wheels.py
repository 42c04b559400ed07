"""Make the ROS 2 wheels of a virtual environment usable for building message packages.

About 20 of the CMake export files that the wheels put under `<prefix>/share` name the Python and NumPy
include folders of the machine the wheels were built on (`/opt/python/cp3XX-cp3XX/...`). CMake refuses a
target whose include folder does not exist, so the first `colcon build` fails. This rewrites both to the
folders of the environment it runs in; running it again changes nothing.

    .venv/bin/python tools/ros_wheels.py            rewrite, and say how many files were changed
    .venv/bin/python tools/ros_wheels.py --check    only count; exit status 1 if a file still needs it
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

_BUILDER = r"/opt/python/cp3\d+-cp3\d+"
_PYTHON_INCLUDE = re.compile(_BUILDER + r"/include/python3\.\d+")
_NUMPY_INCLUDE = re.compile(_BUILDER + r"/lib/python3\.\d+/site-packages/numpy/_?core/include")


def include_folders() -> dict[re.Pattern[str], Path]:
    """Return what to look for in an export file, with the folder of this environment to put there."""
    import numpy

    python = Path(sysconfig.get_path("include"))
    return {_PYTHON_INCLUDE: python, _NUMPY_INCLUDE: Path(numpy.get_include())}


def fixed(text: str, folders: Mapping[re.Pattern[str], Path]) -> str:
    """Return `text`, the content of an export file, with this environment's folders in it."""
    for pattern, folder in folders.items():
        text = pattern.sub(lambda _, new=str(folder): new, text)
    return text


def fix_exports(prefix: Path, folders: Mapping[re.Pattern[str], Path], write: bool = True) -> list[Path]:
    """Rewrite the CMake files under `prefix/share` and return those that needed it."""
    changed = []
    for path in sorted(prefix.glob("share/*/cmake/*.cmake")):
        before = path.read_text(encoding="utf-8")
        after = fixed(before, folders)
        if after == before:
            continue
        changed.append(path)
        if write:
            path.write_text(after, encoding="utf-8")
    return changed


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Point the ROS 2 wheels' CMake files at this environment.")
    parser.add_argument("--prefix", type=Path, default=Path(sys.prefix), help="environment to work on")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file needs it")
    options = parser.parse_args(arguments)
    folders = include_folders()
    missing = [str(folder) for folder in folders.values() if not folder.is_dir()]
    if missing:
        parser.error(f"header folder {missing[0]} does not exist; install Python's headers (python3-dev)")
    changed = fix_exports(options.prefix, folders, write=not options.check)
    verb = "need" if options.check else "got"
    print(f"{len(changed)} CMake export files {verb} the include folders of {sys.prefix}")
    return int(options.check and bool(changed))


if __name__ == "__main__":
    sys.exit(main())
