"""The view's server without a browser: it serves the page, draws a flight, and does what a reader wants."""

import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deqmpc.session.options import Sim
from deqmpc.verbs import sim
from deqmpc.view import page as pages
from deqmpc.view.browser import free_port
from deqmpc.view.choice import choices
from deqmpc.view.page import Fly, Move, Page
from deqmpc.view.picture import Picture
from deqmpc_core.errors import ConfigError

LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


@pytest.fixture
def served() -> Iterator[Page]:
    pytest.importorskip("viser", reason="'viser' is not installed (requirements-view.txt)")
    page = Page(free_port(8200), np.array([0.0, 0.0, 1.0]), ["goal-mpc", "hover"], "goal-mpc", 0.1)
    yield page
    page.close()


def drag(phase: str, start: list[float], end: list[float]) -> Any:
    return SimpleNamespace(phase=phase, start_position=tuple(start), end_position=tuple(end))


def test_the_page_is_served_on_this_machine_only(served: Page) -> None:
    assert served.url.startswith("http://127.0.0.1:") and served.readers == 0
    text = urllib.request.urlopen(served.url, timeout=10).read().decode()
    assert "<html" in text and "viser" in text.lower()
    taken = int(served.url.rpartition(":")[2])
    assert free_port(taken) != taken


def test_a_dragged_obstacle_is_wished_where_the_pointer_takes_it(served: Page) -> None:
    picture = Picture()
    picture.saw_obstacles(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]), np.array([0.1, 0.1]))
    served.show(picture)
    sphere = served._spheres[1]
    served._dragged(1, sphere, drag("start", [1.0, -0.1, 1.0], [1.0, -0.1, 1.0]))
    for y in (0.2, 0.4):
        served._dragged(1, sphere, drag("update", [1.0, -0.1, 1.0], [1.0, y, 1.0]))
    picture.saw_obstacles(np.array([[0.0, 0.5, 1.0], [1.0, 0.1, 1.0]]), np.array([0.1, 0.1]))
    served.show(picture)
    assert np.allclose(served._spheres[0].position, [0.0, 0.5, 1.0])
    assert np.allclose(sphere.position, [1.0, 0.5, 1.0]), "what is held follows the pointer alone"
    (wish,) = served.wishes()
    assert isinstance(wish, Move) and wish.index == 1 and not wish.done
    assert np.allclose(wish.place, [1.0, 0.5, 1.0]), "the grip stays where it took hold"
    served._dragged(1, sphere, drag("end", [1.0, -0.1, 1.0], [1.0, 0.4, 1.0]))
    assert [w.done for w in served.wishes() if isinstance(w, Move)] == [True] and served.wishes() == []


def test_a_flight_in_this_process_is_drawn_and_changed() -> None:
    """Without ROS: an obstacle moved and a policy chosen in flight."""
    pytest.importorskip("viser", reason="'viser' is not installed (requirements-view.txt)")
    from deqmpc.view.alone import Alone

    alone = Alone(Sim(policy="goal-mpc", steps=8, port=free_port(8300)), pace=np.inf)
    watch, far = alone._watch, Move(99, (0.0, 0.0, 0.0), True)
    wanted = [Move(0, (0.1, 0.2, 1.5), True), far, Fly("hover")]

    def meddling(cockpit: Any) -> None:
        if alone.picture.phase == "POLICY" and wanted:
            alone.page._wishes.append(wanted.pop(0))
            alone._next = 0.0
        watch(cockpit)

    alone._watch = meddling
    try:
        alone.fly(0)
    finally:
        alone.page.close()
    picture = alone.picture
    assert picture.obstacles.centers[0].tolist() == [0.1, 0.2, 1.5] and picture.policy == "hover"
    assert len(picture.tick_ms) == 8 and len(picture.plan) == 7 and picture.rounds
    said = " ".join(picture.told)
    assert "there are 40 obstacles, got number 99" in said and "'hover' flies" in said


def test_what_can_be_chosen_is_for_the_task() -> None:
    names = choices("crazyflie", "deqmpc-deq")
    assert names[0] == "deqmpc-deq" and "crazyflie-deqmpc-nn" in names
    assert names[-3:] == ["goal-mpc", "hover", "straight-line"]
    assert "crazyflie-deqmpc-deq" not in names, "it is the first already"
    assert not [name for name in names if name.startswith("pendulum")]


def test_bad_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert sim.main(["--no-ros"]) == 2 and "add --view" in capsys.readouterr().err

    def missing() -> Any:
        raise ConfigError("the view needs the package viser")

    monkeypatch.setattr(pages, "viser", missing)
    assert sim.main(["--view", "--no-ros"]) == 2 and "viser" in capsys.readouterr().err
