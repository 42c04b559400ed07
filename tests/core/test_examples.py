"""The examples do what they say."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

from deqmpc_core.bundle import verify_bundle
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


def test_the_pendulum_hangs_first_and_stands_at_the_end() -> None:
    example = _example("pendulum")
    solution = example.solve()
    assert solution.status[0] == Status.CONVERGED.code
    assert abs(float(solution.x[0, 0, 0])) == torch.pi
    assert solution.x[0, -1].abs().max() < 0.01
    assert solution.u.abs().max() <= 5.0 + 1e-6  # N m; the pole's weight makes up to 10


def test_the_gradient_through_the_obstacle_problem_is_that_of_finite_differences() -> None:
    exact, differences = _example("obstacle_gradient").gradients()
    assert exact.abs().min() > 0.1  # all of it matters
    assert (exact - differences).abs().max() < 1e-3 * differences.abs().max()


def test_warm_starts_save_more_than_half_of_the_iterations() -> None:
    counts = _example("warm_start").fly()[1:]
    cold, warm = (sum(pair[i] for pair in counts) for i in (0, 1))
    assert warm < 0.5 * cold
    assert sum(w < c for c, w in counts) == len(counts)


def test_a_policy_is_trained_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program as it stands, with less of everything."""
    example = _example("train_in_a_minute")
    for name, value in {"EPISODES": 4, "STEPS": 4, "JUDGED": 4, "HIDDEN": 8}.items():
        monkeypatch.setattr(example, name, value)
    rows = example.judge(example.learn(tmp_path)).results
    assert [row.policy for row in rows] == ["pendulum-deqmpc-nn", "goal-mpc"]
    assert all(row.episodes == 4 for row in rows)
    assert verify_bundle(tmp_path / "pendulum-deqmpc-nn") < 1e-3


@pytest.mark.parametrize("program", sorted(_EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short_and_begin_with_what_can_be_changed(program: Path) -> None:
    text = program.read_text()
    assert len(text.splitlines()) <= (120 if program.stem == "planar_drone" else 60)
    first = text.index("\ndef ") if "\ndef " in text else len(text)
    assert re.search(r"^[A-Z][A-Z_]+.* = ", text[:first], re.MULTILINE), "constants come first"
    assert f"Run: python examples/{program.name}" in text
