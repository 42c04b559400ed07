"""Another policy while one flies: taken between two ticks, or refused with a sentence and all as before."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from deqmpc_interfaces.msg import Obstacles, SolveInfo
from deqmpc_interfaces.srv import LoadPolicy
from geometry_msgs.msg import Point
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import serialize_message

from deqmpc_core.bundle import find_bundle
from deqmpc_core.flight import Estimate
from deqmpc_core.flight.pilot import Pilot
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.live import LiveEdits
from deqmpc_policy_node.loading import digest, directory_of, sound_policy
from deqmpc_policy_node.nodes.policy import PolicyParameters
from deqmpc_policy_node.parameters import declare
from deqmpc_policy_node.reports import TickStory, obstacle_set, obstacles_message, solve_info
from deqmpc_policy_node.swap import Preparation
from deqmpc_policy_node.tick_record import TickGrid, TickRecord

pytestmark = pytest.mark.ros
TASK = load_task("crazyflie")
BASE = TimeBase(lock_step=True)
LEVEL, ZERO = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)


def checked_here(name: str, task: str) -> str:
    """The child process's work without the child."""
    sound_policy(name, load_task(task))
    return digest(directory_of(name, task))


@pytest.fixture
def node(domain: int) -> Iterator[Node]:
    del domain
    rclpy.init(args=[])
    made = Node("live", parameter_overrides=[Parameter("policy", value="goal-mpc")])
    declare(made, PolicyParameters)
    yield made
    made.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def pilot() -> Pilot:
    pilot = Pilot(make_policy(PolicyConfig("crazyflie", "goal-mpc"), TASK), TASK)
    pilot.tick(Estimate(0.0, 0, np.array([0.9, 0.0, 1.2]), LEVEL, ZERO, ZERO, ZERO, 0.0), 0.0)
    return pilot


def live(node: Node, pilot: Pilot, check: Callable[[str, str], str] = checked_here) -> LiveEdits:
    return LiveEdits(node, BASE, TASK, pilot, Preparation(TASK, check=check), lambda: 1.0)


def asked(node: Node, edits: LiveEdits, name: str) -> tuple[bool, str]:
    """`ros2 param set`, and the time until the policy flies or has failed."""
    (result,) = node.set_parameters([Parameter("policy", value=name)])
    deadline = time.monotonic() + 60.0
    while edits._preparation.name and time.monotonic() < deadline:
        edits.apply()
        time.sleep(0.005)
    return result.successful, result.reason


def test_a_policy_by_parameter_goes_on_from_the_plan(node: Node, pilot: Pilot) -> None:
    edits = live(node, pilot)
    assert asked(node, edits, "hover") == (True, "")
    assert edits.name == "hover" == node.get_parameter("policy").value and edits.swaps == 1
    packet = pilot.tick(Estimate(0.1, 0, np.array([0.9, 0.0, 1.2]), LEVEL, ZERO, ZERO, ZERO, 0.0), 0.1)
    assert packet.fault() is None and packet.x_world[-1, 0] > 0.8, "it hovers now"


def corrupt(folder: Path) -> str:
    place = folder / "crazyflie-corrupt"
    shutil.copytree(find_bundle("crazyflie-deqmpc-nn"), place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    return str(place)


def test_what_cannot_fly_is_refused_and_the_parameter_reverts(
    node: Node, pilot: Pilot, tmp_path: Path
) -> None:
    edits, policy = live(node, pilot), pilot.policy
    for name, words in (("no-such", "no policy"), ("pendulum-expert", "for task 'pendulum'")):
        accepted, reason = asked(node, edits, name)
        assert not accepted and words in reason, "refused at once"
    assert asked(node, edits, corrupt(tmp_path)) == (True, ""), "accepted for loading"
    assert edits.name == "goal-mpc" == node.get_parameter("policy").value
    assert pilot.policy is policy and edits.swaps == 0


def test_a_bundle_that_changes_after_its_check_is_not_taken(node: Node, pilot: Pilot) -> None:
    edits = live(node, pilot, check=lambda name, task: "another digest")
    asked(node, edits, "hover")
    assert edits.name == "goal-mpc" == node.get_parameter("policy").value


def test_the_service_answers_when_the_policy_flies(node: Node, pilot: Pilot) -> None:
    edits = live(node, pilot)

    async def call(name: str) -> LoadPolicy.Response:
        answer = edits._on_load(LoadPolicy.Request(name=name), LoadPolicy.Response())
        steps = answer.__await__()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
            edits.apply()
            await asyncio.sleep(0.005)

    for name, success, words in (
        ("hover", True, "flies in the place of 'goal-mpc'"),
        ("hover", True, "already"),
        ("no-such", False, "no policy"),
    ):
        response = asyncio.run(call(name))
        assert response.success is success and words in response.message


def test_a_preloaded_policy_flies_with_the_next_look(node: Node, pilot: Pilot) -> None:
    edits = live(node, pilot, check=lambda name, task: pytest.fail("nothing is left to check"))
    edits._preparation.preload(["straight-line"])
    node.set_parameters([Parameter("policy", value="straight-line")])
    edits.apply()
    assert edits.name == "straight-line"


def test_bad_spheres_and_limits_leave_the_old_ones(node: Node, pilot: Pilot) -> None:
    edits = live(node, pilot)
    edits._on_obstacles(Obstacles(centers=[Point(x=0.3, y=0.0, z=1.0)], radii=[0.2]))
    sound = edits.spheres
    assert len(sound.radii) == 1 and pilot.obstacles is sound
    bad = Obstacles(centers=[Point(x=float("nan"))], radii=[0.2])
    far = Obstacles(centers=[Point()], radii=[0.2])
    far.header.frame_id = "camera"
    for message in (bad, far, Obstacles(centers=[Point()], radii=[-1.0]), Obstacles(centers=[Point()])):
        edits._on_obstacles(message)
        assert edits.spheres is sound and pilot.obstacles is sound
    (result,) = node.set_parameters([Parameter("u_max", value=0.5)])
    assert not result.successful and "only be tightened" in result.reason and pilot.limits is None
    assert node.set_parameters([Parameter("u_max", value=0.1)])[0].successful
    assert pilot.limits is not None and float(pilot.limits[1].max()) == 0.1


def test_whatever_a_swap_raises_the_old_policy_flies(
    node: Node, pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits, before = live(node, pilot), pilot.policy
    edits._preparation.preload(["hover", "straight-line"])
    monkeypatch.setattr("deqmpc_core.flight.live_policy.carried", lambda *_: 1 / 0)
    node.set_parameters([Parameter("policy", value="hover")])
    edits.apply()
    assert pilot.policy is before and edits.swaps == 0 and pilot.plan is not None
    assert edits.name == "goal-mpc" == node.get_parameter("policy").value
    monkeypatch.undo()
    node.set_parameters([Parameter("policy", value="straight-line")])
    edits.apply()
    assert edits.name == "straight-line" and pilot.policy is not before


def test_a_set_the_policy_cannot_take_is_refused(
    node: Node, pilot: Pilot, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits = live(node, pilot)
    sound, one = edits.spheres, Obstacles(centers=[Point(x=0.3, z=1.0)], radii=[0.2])
    with monkeypatch.context() as patch:
        broken = SimpleNamespace(solver=pilot.policy.solver, initial_state=lambda _: 1 / 0)
        patch.setattr(pilot, "_policy", broken)
        edits._on_obstacles(one)
        assert edits.spheres is sound and pilot.obstacles is None
    edits._on_obstacles(one)
    assert len(edits.spheres.radii) == 1 and pilot.obstacles is edits.spheres


def test_a_set_survives_the_wire() -> None:
    message = Obstacles(centers=[Point(x=1.0), Point(y=2.0)], radii=[0.1, 0.3])
    found = obstacle_set(message, BASE, 7.0)
    again = obstacle_set(obstacles_message(found, BASE), BASE, 9.0)
    assert found.stamp == again.stamp == 7.0 and np.array_equal(found.radii, again.radii)
    assert np.array_equal(found.centers, again.centers) and not again.moving


def test_solve_info_tells_of_the_tick(pilot: Pilot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PYTHON_CHECK_FIELDS", "1")
    seen = Estimate(0.1, 7, np.array([0.9, 0.0, 1.2]), LEVEL, ZERO, ZERO, ZERO, 0.0)
    packet = pilot.tick(seen, 0.1)
    sphere = obstacle_set(Obstacles(centers=[Point(x=0.9, z=1.7)], radii=[0.1]), BASE, 0.0)
    story = TickStory("goal-mpc", True, 2.5, 3.5, 12.0, 2.0, False)
    message = solve_info(pilot, packet, sphere, story, BASE)
    assert isinstance(message, SolveInfo) and serialize_message(message)
    assert message.policy == "goal-mpc" and message.sequence == 1 and message.sentence.startswith("budget")
    assert 0.0 < message.dynamics <= message.violation * 1.0001
    assert message.clearance == pytest.approx(0.4, abs=0.05) and message.behind_ms == 3.5


def test_ticks_that_fell_due_are_counted() -> None:
    grid, record = TickGrid(0.02), TickRecord()
    grid.begin(10.0)
    assert grid.serve(10.0001) == 0 and not grid.late(10.015) and grid.late(10.021)
    assert grid.serve(10.0199) == 0, "a timer may ring a little early"
    assert grid.serve(10.085) == 2, "those due at 10.04 and 10.06 never began"
    assert grid.behind(10.09) == pytest.approx(0.01)
    record.window(0.0)
    for missed in (0, 2, 0):
        record.add(3.0, 11.0, missed, failed=False)
    figures = record.window(0.5)
    assert figures["rate [Hz]"] == 6.0 and figures["late ticks in the last second"] == 2
    assert record.window(1.0)["late ticks in the last second"] == 0 and record.late == 2
