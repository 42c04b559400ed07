"""A task of one's own, known by name."""

from typing import Any

import pytest

import deqmpc_core.tasks
from deqmpc_core.errors import ConfigError, UnknownNameError
from deqmpc_core.tasks import Task, load_task, register_task, task_names, task_options


@pytest.fixture(autouse=True)
def _known_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deqmpc_core.tasks, "_TASKS", dict(deqmpc_core.tasks._TASKS))


def weak(*, u_max: float = 1.0) -> Task:
    return load_task("pendulum", u_max=u_max)


def other(**options: Any) -> Task:
    return load_task("pendulum", **options)


def test_a_registered_task_is_one_like_the_others() -> None:
    register_task("weak", weak)
    register_task("weak", weak)  # a worker process imports the file again
    assert "weak" in task_names() and task_options("weak") == ("u_max",)
    assert load_task("weak", u_max=0.5).u_hi.tolist() == [0.5]
    with pytest.raises(UnknownNameError, match="u_max"):
        load_task("weak", u_maxx=2.0)


def test_a_name_is_given_once() -> None:
    register_task("weak", weak)
    with pytest.raises(ConfigError, match="weak.*exists.*test_own_task"):
        register_task("weak", other)
    with pytest.raises(ConfigError, match="exists already"):
        register_task("pendulum", weak)
    assert load_task("pendulum").u_hi.tolist() == [5.0]


@pytest.mark.parametrize("name", ["", "my task", "../up", "3d", "a-b"])
def test_a_name_that_would_make_no_folder_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="task name"):
        register_task(name, weak)
