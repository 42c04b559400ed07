"""The examples' definitions."""

import importlib.util
from pathlib import Path
from types import ModuleType

import torch

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
