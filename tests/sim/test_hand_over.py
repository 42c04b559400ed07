"""From streamed setpoints to the robot's own landing: both orders, with setpoints that arrive late."""

import numpy as np
import pytest

from deqmpc_core.flight import FlightPhase
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_sim.in_process import fly_episode
from deqmpc_sim.radio import RadioConfig
from deqmpc_sim.world import World


def handed_over(world: World, flying, holding, land_first: bool, late: float | None) -> list[float]:
    """Heights over 0.4 s from the hand-over on; `late` [s] after it one more setpoint arrives."""
    flying(world, 1.0, holding)
    orders = [world.drone.notify_setpoints_stop, lambda: world.drone.land(0.0, 2.0)]
    for order in reversed(orders) if land_first else orders:
        order()
        if late == 0.0 and order is not orders[0 if land_first else 1]:
            holding(world)  # between the two
    if late:
        world.at(world.time + late, lambda: holding(world))
    return flying(world, 0.4)


@pytest.mark.parametrize("late", [None, 0.02, 0.1, 0.3])
def test_notify_then_land_never_drops(airborne, flying, holding, late: float | None) -> None:
    heights = handed_over(airborne(), flying, holding, land_first=False, late=late)
    assert heights[-1] > 0.85 and min(np.diff(heights)) > -0.03


def test_land_then_notify_drops_when_a_setpoint_comes_between(airborne, flying, holding, heard) -> None:
    world = airborne()
    clean = handed_over(world, flying, holding, land_first=True, late=None)
    assert clean[-1] > 0.85
    world = airborne()
    dropped = handed_over(world, flying, holding, land_first=True, late=0.0)
    assert dropped[-1] < 0.75 and not world.drone.motor_pwm.any(), "which is why we notify first"
    assert "no land or go_to came" in heard(world)


def test_notify_without_land_drops(airborne, flying, holding) -> None:
    world = airborne()
    flying(world, 1.0, holding)
    world.drone.notify_setpoints_stop()
    assert flying(world, 0.3)[-1] < 0.75 and not world.drone.motor_pwm.any()
    flying(world, 1.0)
    assert world.crash.crashed


@pytest.fixture(scope="module")
def straight_line(task):
    return make_policy(PolicyConfig(task.name, "straight-line", horizon=task.horizon), task)


def test_our_hand_over_lands_over_a_bad_radio(task, straight_line) -> None:
    """Here a late setpoint takes over between notify and land, and motors stop until they are repeated."""
    world = World(task, seed=3, episode=0, radio=RadioConfig(radio_loss=0.3, radio_jitter=0.25))
    flight = fly_episode(task, straight_line, world=world, steps=10)
    assert not world.crash.crashed, flight.events
    assert flight.phases[-1][1] is FlightPhase.LANDED and not world.drone.is_locked
