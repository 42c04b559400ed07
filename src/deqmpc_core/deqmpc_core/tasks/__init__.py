"""Tasks by name: what to do with a robot."""

import inspect
from collections.abc import Callable
from typing import Any

from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.tasks.cartpole import cartpole
from deqmpc_core.tasks.crazyflie import crazyflie
from deqmpc_core.tasks.pendulum import pendulum
from deqmpc_core.tasks.qpole import qpole
from deqmpc_core.tasks.qpole_dyn_obs import qpole_dyn_obs
from deqmpc_core.tasks.qpole_obs import qpole_obs
from deqmpc_core.tasks.quadrotor import quadrotor
from deqmpc_core.tasks.task import Task

_TASKS: dict[str, Callable[..., Task]] = {
    "cartpole": cartpole,
    "crazyflie": crazyflie,
    "pendulum": pendulum,
    "qpole": qpole,
    "qpole_dyn_obs": qpole_dyn_obs,
    "qpole_obs": qpole_obs,
    "quadrotor": quadrotor,
}


def task_names() -> tuple[str, ...]:
    """Names that `load_task` knows."""
    return tuple(sorted(_TASKS))


def task_options(name: str) -> tuple[str, ...]:
    """Keywords that `load_task` takes for task `name`."""
    return tuple(inspect.signature(_TASKS[name]).parameters)


def load_task(name: str, **options: Any) -> Task:
    """The task `name`, its numbers changed by keyword (obstacle_radius=0.12, state_weight=(...), …).

    Raises UnknownNameError with a typo hint for a task or an option that does not exist, ConfigError for a
    value of the wrong type.
    """
    if name not in _TASKS:
        raise UnknownNameError("task", name, _TASKS)
    for option in options:
        if option not in task_options(name):
            raise UnknownNameError(f"option of task '{name}':", option, task_options(name))
    try:
        return _TASKS[name](**options)
    except TypeError as error:
        raise ConfigError(f"task '{name}': {error}") from error


__all__ = ["Task", "load_task", "task_names", "task_options"]
