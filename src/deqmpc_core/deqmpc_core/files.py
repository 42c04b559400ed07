"""Small files, written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

from deqmpc_core.errors import ConfigError


def write_text(file: Path, text: str) -> None:
    """The text in the file's place; the older one stays until it is written. Makes the directory."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(file: Path, values: Any) -> None:
    """The values, indented."""
    write_text(file, json.dumps(values, indent=2) + "\n")


def read_json(file: Path) -> Any:
    """The values of a file; ConfigError where it cannot be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"cannot read '{file}': {error}; remove it or write it again") from error
