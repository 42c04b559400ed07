"""A task of one's own goes the whole way: data set, training, bundle, judgement.

The robot is that of examples/planar_drone.py. Here the torch backend solves and the solver alone is the
expert, so that nothing is compiled; `make accept N=8` runs the program as it stands.
"""

import importlib.util
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
import torch

import deqmpc_core.tasks
import deqmpc_train.trainer
from deqmpc_core.bundle import load_policy
from deqmpc_core.errors import BundleError
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_sim import make_env
from deqmpc_sim.envs import roll_out
from deqmpc_train.config import Overrides
from deqmpc_train.data import Episodes, load_episodes, write_data_set
from deqmpc_train.data.fly import fly
from deqmpc_train.eval.flights import seeded_starts
from deqmpc_train.train import Places, train
from deqmpc_train.tuned import tuned

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "planar_drone.py"
STEPS = 12  # of each of the flights that are imitated


@pytest.fixture
def drone(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program, imported: its task is known for the length of a test."""
    monkeypatch.setattr(deqmpc_core.tasks, "_TASKS", dict(deqmpc_core.tasks._TASKS))
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_drone_hovers_tilts_and_turns_as_it_should(drone: ModuleType) -> None:
    task = load_task(drone.NAME)
    x = torch.zeros(3, 6, dtype=torch.float64)
    x[1, 2] = 0.2  # counter-clockwise: to the left
    u = task.control_reference.repeat(3, 1)
    u[2, 1] += 0.5  # more thrust on the right: counter-clockwise
    after = task.step(x, u)
    assert after[0].abs().max() < 1e-12
    assert after[1, 3] < -0.05 and after[1, 4] < 0.0
    assert after[2, 5] > 0.5 and abs(float(after[2, 2])) > 0.0
    assert task.reward(x[0]) == 0.0 > task.reward(x[1])
    assert make_env(drone.NAME, num_envs=2).single_observation_space.shape == (6,)


def test_a_policy_is_trained_on_flights_of_the_task(
    drone: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    task = load_task(drone.NAME)
    pilot = make_policy(PolicyConfig(drone.NAME, "goal-mpc"), task, backend="torch")
    flown = fly(task, pilot, 0, range(4), STEPS)
    assert len(flown.kept) == 4 and not flown.dropped
    origin = {"source": "test", "dropped": {}, "sources": [e.source for e in flown.kept]}
    write_data_set(tmp_path / "data", Episodes.of(flown.kept), task, {}, origin)
    assert load_episodes(tmp_path / "data", task).steps.tolist() == [STEPS] * 4
    in_torch = partial(make_policy, backend="torch")
    monkeypatch.setattr(deqmpc_train.trainer, "make_policy", in_torch)
    config = tuned(drone.NAME, drone.VARIANT, "smoke", Overrides(steps=2, batch=4, rounds=2, stream_steps=1))
    places = Places(tmp_path / "data", tmp_path / "bundle", tmp_path / "run")
    train(config, places)
    policy = load_policy(places.out, backend="torch")
    assert policy.task.name == drone.NAME and policy.config.rounds == 2
    flight = roll_out(policy.task, policy, seeded_starts(policy.task, 0, 2).x, STEPS)
    assert flight.states.shape == (2, STEPS + 1, 6) and flight.failures == [None, None]
    monkeypatch.delitem(deqmpc_core.tasks._TASKS, drone.NAME)
    with pytest.raises(BundleError, match="unknown task 'planar_drone'.*import what registers it"):
        load_policy(places.out)
