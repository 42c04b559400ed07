"""Recordings become episodes: the node's own states and controls, bit by bit; what does not fit is named."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deqmpc_core.errors import DataError
from deqmpc_core.flight.frames import mrp_from_quaternion, task_from_world
from deqmpc_core.tasks import load_task
from deqmpc_policy_node import topics
from deqmpc_train.data import Episodes, import_bags, load_episodes, read_info
from deqmpc_train.data import recording as recording_module
from deqmpc_train.verbs import data as verb
from tests.train.recorded import DT, FIRST, Bag, path_at

TASK = load_task("crazyflie")
ORIGIN = TASK.origin.numpy()
NOT_NEEDED = ("/deqmpc/step", "/deqmpc/episode_result")
SMALL = partial(Bag, flights=1, ticks=4, lock_step=False, leave_out=NOT_NEEDED)


def imported(bag: Path, out: Path) -> tuple[Episodes, float]:
    summary = import_bags([bag], TASK, {}, out)
    assert not summary.refused, summary.refused
    return load_episodes(out, TASK), summary.difference[str(bag)]


def test_topics_are_those_of_the_nodes() -> None:
    for name in ("RIGID_BODIES", "PLAN", "ESTIMATE", "STEP", "EPISODE_RESULT"):
        assert getattr(recording_module, name) == getattr(topics, name)


def test_flights_in_lock_step_keep_what_the_node_knew(tmp_path: Path) -> None:
    bag = Bag(flights=2, ticks=8).write(tmp_path / "bag")
    episodes, difference = imported(tmp_path / "bag", tmp_path / "data")
    assert difference <= 1e-9
    assert episodes.steps.tolist() == [7, 7] and episodes.actions is not None
    for flight in range(2):
        rows = slice(episodes.bounds[flight], episodes.bounds[flight + 1])
        told = [task_from_world(e.position, e.quaternion, e.velocity, e.omega, ORIGIN)
                for e in bag.estimates[flight][1:]]  # fmt: skip
        np.testing.assert_allclose(episodes.states[rows][:-1], told, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(episodes.actions[rows][:-1], [u[0] for u in bag.controls[flight][:-1]])
        place, turn = path_at(FIRST + 8 * DT, flight)
        last = episodes.states[rows][-1]
        assert np.abs(last[:3] + ORIGIN - place).max() < 5e-3
        assert np.abs(last[3:6] - mrp_from_quaternion(turn)).max() < 5e-3
    assert read_info(tmp_path / "data")["sources"] == [f"{tmp_path}/bag#0", f"{tmp_path}/bag#1"]


def test_in_real_time_the_frames_that_the_node_lost_are_left_out(tmp_path: Path) -> None:
    lost = (103, 120, 121, 140, 155)
    Bag(flights=2, lock_step=False, lost=lost).write(tmp_path / "told")
    episodes, difference = imported(tmp_path / "told", tmp_path / "a")
    assert difference <= 1e-9 and episodes.steps.tolist() == [7, 7]
    Bag(flights=2, lock_step=False, lost=lost, tell=False).write(tmp_path / "untold")
    _, difference = imported(tmp_path / "untold", tmp_path / "b")
    assert 1e-9 < difference < 0.05


def test_a_missed_plan_is_flown_on_from_the_one_before(tmp_path: Path) -> None:
    bag = Bag(flights=1, ticks=6, missed=(2,)).write(tmp_path / "bag")
    episodes, _ = imported(tmp_path / "bag", tmp_path / "data")
    u = bag.controls[0]  # of ticks 0, 1, 3, 4, 5
    assert episodes.actions is not None
    np.testing.assert_array_equal(episodes.actions[:-1], [u[0][0], u[1][0], u[1][1], u[2][0], u[3][0]])


def test_failed_flights_are_dropped_and_counted(tmp_path: Path) -> None:
    Bag(flights=2, verdict="sphere entered").write(tmp_path / "bag")
    summary = import_bags([tmp_path / "bag"], TASK, {}, tmp_path / "data")
    assert summary.dropped == {"sphere entered": 2} and not (tmp_path / "data").exists()


def _broken(root: Path) -> dict[str, str]:
    """Bags that do not fit, and what must be said of each."""
    SMALL(leave_out=(*NOT_NEEDED, "/deqmpc/estimate")).write(root / "a_no_estimate")
    SMALL(types={"/deqmpc/plan": "std_msgs/msg/String"}).write(root / "b_other_type")
    SMALL(notes={"task": "pendulum"}).write(root / "c_other_task")
    SMALL(bodies=("cf1", "cf2")).write(root / "d_two_bodies")
    SMALL(dt=0.05).write(root / "e_other_interval")
    SMALL().write(root / "f.active")
    SMALL().write(root / "g_cut")
    file = next((root / "g_cut").glob("*.mcap"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    SMALL(shift=0.1).write(root / "h_other_estimates")
    return {
        "a_no_estimate": "topic /deqmpc/estimate is missing",
        "b_other_type": "expected type deqmpc_interfaces/msg/Plan, got std_msgs/msg/String",
        "c_other_task": "for task 'pendulum', not 'crazyflie'",
        "d_two_bodies": "expected one rigid body, got cf1, cf2",
        "e_other_interval": "expected dt 0.1 s",
        "f.active": "cut off while it was recorded",
        "g_cut": "cut off in the middle",
        "h_other_estimates": "than the node did",
    }


def test_bags_that_do_not_fit_are_named_and_the_rest_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bags = tmp_path / "bags"
    expected = _broken(bags)
    out, report = tmp_path / "data", tmp_path / "report.json"
    assert verb.main(["from-bags", str(bags / "f.active"), "--out", str(out)]) == 1 and not out.exists()
    SMALL().write(bags / "i_good")
    assert verb.main(["from-bags", str(bags), "--out", str(out), "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert {Path(k).name: v for k, v in told["bags"].items()} == {"i_good": 1}
    refused = {Path(k).name: v for k, v in told["refused"].items()}
    assert refused.keys() == expected.keys()
    for name, words in expected.items():
        assert words in refused[name], (name, refused[name])
    assert "wrote" in capsys.readouterr().out and len(load_episodes(out, TASK)) == 1


def test_a_copy_of_a_bag_is_no_second_episode(tmp_path: Path) -> None:
    Bag(flights=1).write(tmp_path / "bags" / "one")
    Bag(flights=1).write(tmp_path / "bags" / "two")
    summary = import_bags([tmp_path / "bags"], TASK, {}, tmp_path / "data")
    assert summary.episodes == 1 and "the same flight as" in summary.refused[f"{tmp_path}/bags/two"]
    with pytest.raises(DataError, match="no bag there"):
        import_bags([tmp_path / "nowhere"], TASK, {}, tmp_path / "other")
