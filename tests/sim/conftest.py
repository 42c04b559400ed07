from collections.abc import Callable

import pytest

from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.world import World

Pilot = Callable[[World], object]


def fly(world: World, seconds: float, pilot: Pilot | None = None) -> list[float]:
    """Advance in commander periods of 20 ms, calling pilot at each; returns the true heights."""
    heights = []
    for _ in range(round(seconds * 50)):
        if pilot:
            pilot(world)
        world.advance(round(world.time + 0.02, 3))
        heights.append(float(world.truth.position[2]))
    return heights


def hold(world: World) -> None:
    world.drone.full_state_setpoint((0, 0, 1), (0, 0, 0), (0, 0, 0), 0.0)


def sentences(world: World) -> str:
    return " | ".join(event.sentence for event in world.drone.events)


@pytest.fixture(scope="session")
def task() -> Task:
    return load_task("crazyflie")


@pytest.fixture
def airborne(task: Task) -> Callable[..., World]:
    """A world whose robot hovers 1 m above the origin after a takeoff of 2 s."""

    def make(truth: TruthConfig | None = None, seed: int = 0) -> World:
        world = World(task, truth, seed, 0, position=(0.0, 0.0, 0.0))
        fly(world, 0.3)
        assert world.drone.takeoff(1.0, 2.0)
        fly(world, 4.0)
        return world

    return make


@pytest.fixture
def flying() -> Callable[..., list[float]]:
    return fly


@pytest.fixture
def holding() -> Pilot:
    return hold


@pytest.fixture
def heard() -> Callable[[World], str]:
    return sentences
