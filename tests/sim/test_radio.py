"""The radio between server and firmware: what is lost, late or overtaken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import ConfigError
from deqmpc_sim.radio import Radio, RadioConfig

SENDINGS = st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans()), min_size=1, max_size=60)
CONFIGS = st.builds(
    RadioConfig,
    radio_loss=st.floats(0.0, 0.9),
    radio_latency=st.floats(0.0, 0.1),
    radio_jitter=st.floats(0.0, 0.3),
    radio_retries=st.integers(0, 20),
)


def arrivals(config: RadioConfig, seed: int, sendings: list[tuple[float, bool]]) -> tuple[list, Radio]:
    """(time of arrival, number of the packet) in the order in which they acted."""
    radio, acted, now = Radio(config, seed), [], [0.0]
    pending = sorted(sendings)
    for step in range(4000):
        now[0] = step * 0.002
        radio.deliver(now[0])
        while pending and pending[0][0] <= now[0]:
            _, command = pending.pop(0)
            number = len(sendings) - len(pending) - 1
            send = radio.command if command else radio.setpoint
            send(now[0], lambda number=number: acted.append((now[0], number)))
    return acted, radio


@settings(max_examples=40, deadline=None)
@given(CONFIGS, st.integers(0, 5), SENDINGS)
def test_packets_arrive_once_within_bounds_or_are_counted_as_lost(config, seed, sendings) -> None:
    acted, radio = arrivals(config, seed, sendings)
    numbers = [number for _, number in acted]
    assert len(set(numbers)) == len(numbers)
    assert len(numbers) + sum(radio.lost.values()) == len(sendings)
    sent = sorted(sendings)
    latest = config.radio_latency + config.radio_jitter + config.radio_retries * config.radio_retry_period
    assert all(-1e-9 <= t - sent[number][0] <= latest + 0.005 for t, number in acted)
    commands = [number for number in numbers if sent[number][1]]
    assert commands == sorted(commands), "an acknowledged link keeps its order"
    assert (acted, radio.lost) == ((again := arrivals(config, seed, sendings))[0], again[1].lost)


def test_a_perfect_radio_acts_at_once() -> None:
    radio, acted = Radio(RadioConfig(), 0), []
    radio.setpoint(0.0, lambda: acted.append("setpoint"))
    radio.command(0.0, lambda: acted.append("command"))
    assert acted == ["setpoint", "command"]


def test_commands_are_repeated_and_setpoints_are_not() -> None:
    sendings = [(0.01 * k, bool(k % 2)) for k in range(400)]
    acted, radio = arrivals(RadioConfig(radio_loss=0.3), 7, sendings)
    assert radio.lost["command"] == 0 and 40 <= radio.lost["setpoint"] <= 80
    late = [t - sendings[number][0] for t, number in acted if sendings[number][1]]
    assert max(late) > 0.003, "a lost command comes later"


def test_jitter_lets_packets_overtake() -> None:
    sendings = [(0.02 * k, False) for k in range(100)]
    acted, _ = arrivals(RadioConfig(radio_jitter=0.1), 1, sendings)
    numbers = [number for _, number in acted]
    assert sorted(numbers) == list(range(100)) and numbers != sorted(numbers)


@pytest.mark.parametrize("wrong", [{"radio_loss": 1.1}, {"radio_latency": -1.0}, {"radio_retries": -1}])
def test_a_radio_that_cannot_be_is_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RadioConfig(**wrong)
