"""Whole flights in one process: order of phases, the same twice, faults, robustness of the defaults."""

from dataclasses import replace

import numpy as np
import pytest

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import CommanderConfig, FlightPhase
from deqmpc_core.policies import make_policy
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.tasks import load_task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.in_process import Flight, fly_episode
from deqmpc_sim.world import World

TASK = load_task("crazyflie")
ORDER = [FlightPhase.TAKEOFF, FlightPhase.GOTO, FlightPhase.POLICY, FlightPhase.LANDING, FlightPhase.LANDED]


@pytest.fixture(scope="module")
def straight_line():
    return make_policy(PolicyConfig("crazyflie", "straight-line"), TASK)


def positions(flight: Flight) -> np.ndarray:
    return np.array(flight.log.position)


def test_flies_lands_and_does_the_same_twice(straight_line) -> None:
    flights = [fly_episode(TASK, straight_line, seed=1, episode=2, steps=15) for _ in range(2)]
    for flight in flights:
        assert [phase for _, phase, _ in flight.phases] == ORDER
        assert flight.result.steps == 15 and flight.result.failure is None
        assert flight.reason == "the policy has flown its 1.5 s"
        assert flight.tracking_error < 0.05 and len(flight.log.times) == 15
        assert flight.log.position[-1][2] < 0.1
    assert np.array_equal(positions(flights[0]), positions(flights[1]))
    assert np.array_equal(flights[0].log.setpoint, flights[1].log.setpoint, equal_nan=True)
    other = fly_episode(TASK, straight_line, seed=2, episode=2, steps=1, land=False)
    assert not np.array_equal(positions(flights[0])[:100], positions(other)[:100])


@pytest.mark.parametrize(("mass", "lag", "latency"), [(0.0352, 0.13, 0.03), (0.0288, 0.03, 0.0)])
def test_arrives_with_a_wrong_mass_and_a_slow_or_fast_rotor(straight_line, mass, lag, latency) -> None:
    truth = TruthConfig(mass=mass, rotor_lag=lag, mocap_latency=latency)
    flight = fly_episode(TASK, straight_line, truth, seed=5, episode=0, steps=80, land=False)
    assert flight.result.final_distance < 0.08
    late = [
        p
        for p, phase in zip(flight.log.position, flight.log.phase, strict=True)
        if phase is FlightPhase.POLICY
    ][-50:]
    assert np.std(late, axis=0).max() < 0.03, "no oscillation at the goal"


def test_lands_with_a_reason_when_motion_capture_falls_silent(straight_line) -> None:
    world = World(TASK, TruthConfig(), 0, 0)
    world.mocap.silence(6.0, 8.0)
    flight = fly_episode(TASK, straight_line, world=world, steps=50)
    assert [phase for _, phase, _ in flight.phases] == ORDER
    assert flight.reason.startswith("no usable pose for 0.5")
    assert flight.result.failure is not None and not flight.result.success


def test_a_rate_the_simulation_cannot_keep_is_refused(straight_line) -> None:
    with pytest.raises(ConfigError, match="rate must divide"):
        fly_episode(TASK, straight_line, commander=replace(CommanderConfig(), rate=30.0))
