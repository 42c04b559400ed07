"""Tasks by name: what to do with a robot."""

from collections.abc import Callable
from typing import Any

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.tasks.cartpole import cartpole
from deqmpc_core.tasks.crazyflie import crazyflie
from deqmpc_core.tasks.pendulum import pendulum
from deqmpc_core.tasks.qpole import qpole
from deqmpc_core.tasks.quadrotor import quadrotor
from deqmpc_core.tasks.task import Task

_TASKS: dict[str, Callable[..., Task]] = {
    "cartpole": cartpole, "crazyflie": crazyflie, "pendulum": pendulum, "qpole": qpole, "quadrotor": quadrotor,
}  # fmt: skip


def task_names() -> tuple[str, ...]:
    """Names that `load_task` knows."""
    return tuple(sorted(_TASKS))


def load_task(name: str, **options: Any) -> Task:
    """The task `name`, its numbers changed by keyword (obstacle_radius=0.12, state_weight=(...), …).

    Raises UnknownNameError with a typo hint, ConfigError for an option the task does not have.
    """
    if name not in _TASKS:
        raise UnknownNameError("task", name, _TASKS)
    try:
        return _TASKS[name](**options)
    except TypeError as error:
        raise ConfigError(f"task '{name}': {error}") from error


__all__ = ["Task", "load_task", "task_names"]
