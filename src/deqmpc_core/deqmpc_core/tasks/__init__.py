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
from deqmpc_core.tasks.task import ExpertNumbers, Task

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


def register_task(name: str, make: Callable[..., Task]) -> None:
    """Make a task of one's own known by name to `load_task`, and so to data sets, training and evaluation.

    make(**options) gives the task; its keywords are what `load_task` and `--option` take. Call it where the
    module is imported, not under `if __name__ == "__main__"`, so that worker processes know the task too.
    The same function again changes nothing. Raises ConfigError for a name that another task has, or that no
    identifier has.
    """
    if not name.isidentifier():
        raise ConfigError(f"task name: expected letters, digits and '_' such as planar_drone, got '{name}'")
    other = _TASKS.get(name)
    if other is not None and _origin(other) != _origin(make):
        raise ConfigError(f"task '{name}' exists already, in {other.__module__}; choose another name")
    _TASKS[name] = make


def _origin(make: Callable[..., Task]) -> tuple[str, str]:
    """File and name of a function: the same when its module is imported again, under any name."""
    return inspect.getfile(make), make.__qualname__


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


__all__ = ["ExpertNumbers", "Task", "load_task", "register_task", "task_names", "task_options"]
