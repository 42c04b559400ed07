"""Published arrays: every pair fits the plant, the last state comes from it, returns are the known ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deqmpc_core.errors import DataError
from deqmpc_core.tasks import load_task
from deqmpc_train.data import data_task, import_arrays, load_episodes, read_info, read_stats
from deqmpc_train.data.published import PUBLISHED
from deqmpc_train.verbs import data as verb

_FILES = [
    ("pendulum", "sac_pendulum.npz", 19_815, -153.2, 114.9),
    ("cartpole", "cgac_cartpole1l.npz", 21_179, -126.9, 58.7),
    ("quadrotor", "cgac_rexquadrotor.npz", 30_000, 635.7, 25.1),
]


@pytest.mark.parametrize(("name", "file", "steps", "mean", "spread"), _FILES)
def test_published_episodes_come_with_their_last_state(
    name: str, file: str, steps: int, mean: float, spread: float,
    shared_data: Callable[[str], Path], tmp_path: Path,
) -> None:  # fmt: skip
    task, options = data_task(name, PUBLISHED.get(name, ()))
    worst = import_arrays(shared_data(file), task, options, tmp_path / "set")
    stats, info = read_stats(tmp_path / "set"), read_info(tmp_path / "set")
    assert worst < 1e-5 and info["successor_error"] == worst and info["steps"] == steps
    assert stats["return"]["mean"][0] == pytest.approx(mean, abs=0.05)
    assert stats["return"]["std"][0] == pytest.approx(spread, abs=0.1)
    if name != "quadrotor":
        assert stats["successes"] == 300
    episodes, stored = load_episodes(tmp_path / "set", load_task(name)), np.load(shared_data(file))
    last = int(stored["length"][5])
    rows = slice(episodes.bounds[5], episodes.bounds[6] - 1)
    np.testing.assert_array_equal(episodes.states[rows], stored["state"][5, :last])


def _arrays(**changes: Any) -> dict[str, Any]:
    """Two episodes of a pendulum left alone, three pairs and one."""
    task, _ = data_task("pendulum")
    state = np.zeros((2, 3, 2))
    state[:, 0] = ((0.3, 0.0), (-0.2, 0.1))
    for k in range(2):
        state[:, k + 1] = task.step(
            torch.from_numpy(state[:, k]), torch.zeros(2, 1, dtype=torch.float64)
        ).numpy()
    return {"state": state, "action": np.zeros((2, 3, 1)), "length": np.array([3, 1])} | changes


def _moved(state: np.ndarray) -> np.ndarray:
    state[0, 2, 1] += 0.01
    return state


FAULTS = {
    "another successor": (lambda a: a | {"state": _moved(a["state"])},
                          "'state' of episode 0: step 2 differs in thetadot by 0.01"),
    "no action": (lambda a: {k: v for k, v in a.items() if k != "action"}, "array 'action' is missing"),
    "text": (lambda a: a | {"state": np.array(["x"])}, "array 'state' is missing or holds no numbers"),
    "dimensions": (lambda a: a | {"action": np.zeros((2, 3, 4))}, "expected .N, L, 1., got .2, 3, 4"),
    "length": (lambda a: a | {"length": np.array([3, 4])}, "'length' of episode 1 is 4, not in 1 to 3"),
    "nan": (lambda a: a | {"action": np.full((2, 3, 1), np.nan)}, "episode 0"),
    "too strong": (lambda a: a | {"length": np.array([1, 1]), "action": np.full((2, 3, 1), 9.0)},
                   r"column 'action' of episode 0 is 9, outside \[-5"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_arrays_that_do_not_fit_are_named(fault: str, tmp_path: Path) -> None:
    spoil, words = FAULTS[fault]
    np.savez(tmp_path / "a.npz", **spoil(_arrays()))
    task, options = data_task("pendulum")
    with pytest.raises(DataError, match=words):
        import_arrays(tmp_path / "a.npz", task, options, tmp_path / "set")
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_file_cut_off_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, **_arrays())
    file.write_bytes(file.read_bytes()[:200])
    words = ["import", str(file), "--task", "pendulum", "--out", str(tmp_path / "set")]
    assert verb.main(words) == 1 and "cannot read" in capsys.readouterr().err
    np.savez(file, **_arrays())
    assert verb.main([*words, "--option", "integrator=rk4", "u_max=5"]) == 0
    assert read_info(tmp_path / "set")["task_options"] == {"integrator": "rk4", "u_max": 5}
