"""The examples do what they say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import torch

from deqmpc_core.types import Status

_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, _EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_robot_moves_as_a_car_and_knows_its_limits() -> None:
    task = _example("own_robot").task
    x = torch.tensor([[0.0, 0.4, torch.pi / 2, 1.0], [0.0, 0.7, 0.0, 2.0]], dtype=torch.float64)
    u = torch.tensor([[0.2, 0.0], [0.2, 0.0]], dtype=torch.float64)
    after = task.step(x, u)
    assert torch.allclose(after[0], torch.tensor([0.0, 0.5, torch.pi / 2, 1.0], dtype=torch.float64))
    inside, outside = task.system.inequality(x)
    assert (inside <= 0).all() and (outside > 0).sum() == 2
    assert (task.system.inequality(x, {"kerb": 1.0, "speed_max": 3.0}) <= 0).all()


def test_own_robot_obeys_its_limits_at_the_cost_that_ipopt_finds() -> None:
    example = _example("own_robot")
    solution = example.solve()
    assert solution.status[0] == Status.CONVERGED.code
    assert abs(float(solution.info.cost[0]) / 40.742186 - 1.0) < 1e-3
    assert solution.x[0, :, 1].max() < example.KERB + 1e-4
    assert solution.x[0, :, 3].max() < example.TOP_SPEED + 1e-4


def test_the_mass_is_recovered_from_an_experts_controls() -> None:
    example = _example("recover_mass")
    masses = example.recover()
    assert abs(masses[0] / example.TRUE_MASS - 1.0) > 0.1
    assert abs(masses[-1] / example.TRUE_MASS - 1.0) < 1e-3


def test_the_weights_of_the_rates_are_learned_beside_the_waypoints() -> None:
    history = _example("velocity_weights").train()
    (first, factor), (last, learned) = history[0], history[-1]
    assert factor == 1.0 and learned > 1.2
    assert last < 0.6 * first
