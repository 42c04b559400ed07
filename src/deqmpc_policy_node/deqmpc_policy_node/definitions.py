"""What a bag must say about a message type: its definition with everything it refers to, and its RIHS01 hash.

Both are read from the installed message packages (share/<package>/msg), never written by hand.
"""

import importlib.util
import json
import re
from functools import cache
from pathlib import Path

from deqmpc_core.errors import ConfigError

SEPARATOR = "=" * 80
_PRIMITIVE = re.compile(r"^(bool|byte|char|float(32|64)|u?int(8|16|32|64)|w?string)$")


@cache
def message_definition(type_name: str) -> str:
    """The `ros2msg` text of "package/msg/Name", its dependencies appended as rosbag2 appends them."""
    texts, queue, seen = [_source(type_name)], _dependencies(type_name), {type_name}
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        package, _, short = name.split("/")
        texts.append(f"{SEPARATOR}\nMSG: {package}/{short}\n{_source(name)}")
        queue += _dependencies(name)
    return "\n".join(texts)


@cache
def type_hash(type_name: str) -> str:
    """The hash "RIHS01_..." that the generator stored beside the type."""
    description = json.loads(_file(type_name, "json").read_text())
    return next(h["hash_string"] for h in description["type_hashes"] if h["type_name"] == type_name)


def _source(type_name: str) -> str:
    return _file(type_name, "msg").read_text()


def _file(type_name: str, suffix: str) -> Path:
    package, kind, short = type_name.split("/")
    path = _share(package) / kind / f"{short}.{suffix}"
    if not path.is_file():
        raise ConfigError(f"{path} is missing: the package '{package}' was installed without its definitions")
    return path


def _share(package: str) -> Path:
    """share/<package> of the prefix that Python imports the package from (needs no AMENT_PREFIX_PATH)."""
    spec = importlib.util.find_spec(package)
    for parent in Path(spec.origin).parents if spec and spec.origin else ():
        if (parent / "share" / package).is_dir():
            return parent / "share" / package
    raise ConfigError(f"message package '{package}' is not installed; build or source the workspace")


def _dependencies(type_name: str) -> list[str]:
    package = type_name.split("/")[0]
    found = []
    for line in _source(type_name).splitlines():
        words = line.split("#")[0].split()
        if not words or "=" in line.split("#")[0]:
            continue
        base = re.split(r"[\[<]", words[0])[0]
        if not _PRIMITIVE.match(base):
            found.append(_full_name(base, package))
    return found


def _full_name(name: str, package: str) -> str:
    parts = name.split("/")
    if len(parts) == 1:
        return f"{package}/msg/{name}"
    return f"{parts[0]}/msg/{parts[-1]}"
