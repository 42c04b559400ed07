"""What nobody thought of: messages that raise, links that fail, clocks that are set. No graph is needed."""

from collections import deque
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from deqmpc_core.flight import Commander, CommanderConfig, Estimate, FlightPhase, Land, NotifySetpointsStop
from deqmpc_policy_node import clock, lifecycle
from deqmpc_policy_node.clock import TimeBase, nanoseconds
from deqmpc_policy_node.flight_state import MOST_OTHERS, StateAnnouncer
from deqmpc_policy_node.nodes.commander import CommanderNode
from deqmpc_policy_node.nodes.policy import PolicyNode
from tests.flight.robot import LEVEL
from tests.flight.test_supervisor import under_way

pytestmark = pytest.mark.ros
ZERO = np.zeros(3)


class Round:
    """A node and its spinner whose every second round raises."""

    def __init__(self, bad: int, rounds: int) -> None:
        self.bad, self.left, self.closed = bad, rounds, False
        self.interrupt = SimpleNamespace(requested=False)
        self.node = SimpleNamespace(
            active=True, finalized=False, behaviour=self, get_logger=MagicMock(), context=MagicMock()
        )

    def once(self) -> None:
        self.left -= 1
        self.interrupt.requested = self.left <= 0
        if self.left % self.bad == 0:
            raise ValueError("a message nobody thought of")

    def decide(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def test_a_callback_that_raises_ends_no_flight_one_that_always_does_closes() -> None:
    now_and_then, always = Round(2, 1000), Round(1, 1000)
    assert lifecycle._loop(now_and_then.node, now_and_then) == 0 and now_and_then.left == 0  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nobody thought of"):
        lifecycle._loop(always.node, always)  # type: ignore[arg-type]
    assert always.closed and 1000 - always.left == lifecycle.MOST_FAILURES


def commander_node(commander: Commander, t: float) -> Any:
    """A CommanderNode around a commander in flight; its link takes everything, its loop is broken."""
    node: Any = CommanderNode.__new__(CommanderNode)
    node.node, node._robot, node._plans, node._states = (MagicMock() for _ in range(4))
    node._commander, node._config, node._lock_step, node._poses = commander, CommanderConfig(), False, []
    node._base, node._request, node._t = SimpleNamespace(now=lambda: t), None, t
    node._spinner = SimpleNamespace(once=MagicMock(side_effect=RuntimeError("the executor is gone")))
    return node


def called(node: Any) -> list[type]:
    return [type(call.args[0]) for call in node._robot.call.call_args_list]


def test_a_commander_told_to_exit_sends_its_landing_before_anything_else() -> None:
    robot = under_way(FlightPhase.POLICY)
    robot.tick()
    node = commander_node(robot.commander, robot.t)
    with pytest.raises(RuntimeError, match="executor"):
        node.close()
    assert called(node) == [NotifySetpointsStop, Land]
    assert robot.commander.reason == "the commander was told to exit"


def test_a_link_that_fails_between_notify_and_land_still_gets_land() -> None:
    robot = under_way(FlightPhase.POLICY)
    robot.tick()
    node = commander_node(robot.commander, robot.t)
    node._robot.check.side_effect = KeyError("odd")
    node._robot.call.side_effect = [OSError("radio"), None]
    assert node._tick(robot.t) is False
    assert called(node) == [NotifySetpointsStop, Land]
    assert "internal error" in robot.commander.reason


def test_a_pose_that_raises_lands() -> None:
    robot = under_way(FlightPhase.GOTO)
    node = commander_node(robot.commander, robot.t)
    node._poses = deque([("no pose at all", robot.t)])
    assert node._tick(robot.t) is False and called(node) == [Land]


def test_a_clock_that_was_set_on_the_ground_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = {"ns": 1_000_000_000_000}
    monkeypatch.setattr(clock.time, "time_ns", lambda: wall["ns"])
    monkeypatch.setattr(clock.time, "monotonic_ns", lambda: 5)
    base, simulated = TimeBase(lock_step=False), TimeBase(lock_step=True)
    stamp = base.stamp(1.0)
    wall["ns"] += 500_000
    base.anchor()
    assert base.stamp(1.0) == stamp, "less than a millisecond is left alone"
    wall["ns"] += 3_000_000_000
    base.anchor()
    simulated.anchor()
    assert base.now() == 0.0 and nanoseconds(base.stamp(0.0)) == wall["ns"]
    assert base.seconds(stamp) == pytest.approx(-2.0005) and nanoseconds(simulated.stamp(1.0)) == 10**9


def test_bodies_in_view_are_remembered_up_to_twenty_and_for_one_flight() -> None:
    states = StateAnnouncer(MagicMock(), MagicMock(), "cf1")
    for k in range(1000):
        states.saw_others({f"b{k}", "table"})
    assert len(states._others) == MOST_OTHERS and {"b999", "table"} <= set(states._others)
    states.renew()
    assert states._explained("no usable pose") == "no usable pose"


@pytest.mark.parametrize("age", [0.1, 0.3])
def test_the_policy_plans_on_no_old_pose(age: float) -> None:
    node: Any = PolicyNode.__new__(PolicyNode)
    node.node, node._grid, node._pilot = MagicMock(), MagicMock(), MagicMock()
    node._lock_step, node._parameters = False, SimpleNamespace(pose_late=0.2)
    seen = Estimate(1.0, 0, ZERO, LEVEL, ZERO, ZERO, ZERO, age)
    node._latency = SimpleNamespace(look=lambda *_: seen, expected=0.0)
    node._estimator = node._planned = MagicMock(return_value=None)
    node._tick(1.0)
    assert node._planned.called is (age < 0.2)
