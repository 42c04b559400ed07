"""A task and its options as words on a command line: obstacle_radius=0.3, state_weight=[1,2]."""

import json
from collections.abc import Sequence
from typing import Any

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import Task, load_task


def option_values(words: Sequence[str]) -> dict[str, Any]:
    """Keywords of load_task from words NAME=VALUE; a value is JSON, else text.

    Raises ConfigError for a word without a name or an equals sign.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"task option: expected NAME=VALUE such as obstacle_radius=0.3, got '{word}'")
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def data_task(name: str, words: Sequence[str] = ()) -> tuple[Task, dict[str, Any]]:
    """The task and its options as plain values; errors as those of load_task."""
    options = option_values(words)
    return load_task(name, **options), options
