"""The commander's ways to the robot: crazyflie_py by its public methods, the look at the firmware."""

import inspect
import sys
import time
import types
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.msg import ParameterType, ParameterValue, SetParametersResult
from rclpy.task import Future

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import (
    Arm,
    Command,
    CommanderConfig,
    Emergency,
    FlightPhase,
    GoTo,
    Land,
    NotifySetpointsStop,
    Setpoint,
    Takeoff,
)
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.commander_setup import CommanderParameters
from deqmpc_policy_node.crazyflie_py_link import MODULE, NEEDED, CrazyfliePyLink, made_within, maker
from deqmpc_policy_node.firmware_check import CONTROLLER, GET, MASS, SET, differences, refusals
from deqmpc_policy_node.nodes.commander import CommanderNode
from deqmpc_policy_node.robot import Calls
from tests.flight.robot import Robot

ALL_SERVICES = {f"/cf1/{name}" for name in NEEDED} | {SET, GET}


class Recorded:
    """Stands in for crazyflie_py's Crazyflie: its methods with the signatures of version 1.0.7, recorded."""

    def __init__(self, node: Any, cfname: str, paramTypeDict: dict) -> None:
        self.node = node
        self.calls: list[tuple[str, dict[str, Any]]] = [("made", {"cfname": cfname, "types": paramTypeDict})]

    def _note(self, name: str, values: dict[str, Any]) -> None:
        self.calls.append((name, {k: v for k, v in values.items() if k != "self"}))

    def emergency(self):
        self._note("emergency", locals())  # noqa: E704

    def takeoff(self, targetHeight, duration, groupMask=0):
        self._note("takeoff", locals())  # noqa: E704

    def land(self, targetHeight, duration, groupMask=0):
        self._note("land", locals())  # noqa: E704

    def goTo(self, goal, yaw, duration, relative=False, groupMask=0):
        self._note("goTo", locals())  # noqa: E704

    def notifySetpointsStop(self, remainValidMillisecs=100, groupMask=0):
        self._note("notify", locals())  # noqa: E704

    def arm(self, arm=True):
        self._note("arm", locals())  # noqa: E704

    def cmdFullState(self, pos, vel, acc, yaw, omega):
        self._note("cmdFullState", locals())  # noqa: E704


class Graph:
    """A node that knows which services are offered."""

    def __init__(self) -> None:
        self.services = set(ALL_SERVICES)

    def count_services(self, name: str) -> int:
        return int(name in self.services)


class Waits:
    """A spinner that notes how long it was asked to wait."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def until(self, condition: Any, timeout: float) -> bool:
        self.waited.append(timeout)
        time.sleep(min(timeout, 0.05))
        return bool(condition())


class Server:
    """Stands in for RobotServices: futures that the test answers."""

    def __init__(self) -> None:
        self.offers, self.asked = True, []

    def ready(self, command: Command) -> bool:
        return self.offers

    def call(self, command: Command) -> Future:
        self.asked.append((command, Future()))
        return self.asked[-1][1]


class Bench:
    def __init__(self) -> None:
        self.graph, self.spinner = Graph(), Waits()
        self.taken: list[Command] = []
        self.lost: list[tuple[Command, str, bool]] = []
        self.server, self.crazyflie = Server(), Recorded(None, "cf1", {})
        self.calls_out = Calls(self.server, TimeBase(False), 0.02, self)  # type: ignore[arg-type]
        self.link = CrazyfliePyLink(
            self.graph, self.spinner, "cf1", 0.05,  # type: ignore[arg-type]
            self.calls_out, self, lambda: self.crazyflie, 0.3,
        )  # fmt: skip
        self.spinner.waited.clear()

    def answered(self, command: Command) -> None:
        self.taken.append(command)

    def failed(self, command: Command, why: str, unanswered: bool) -> None:
        self.lost.append((command, why, unanswered))

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return self.crazyflie.calls[1:]


def test_commands_become_calls_with_plain_floats() -> None:
    bench, x = Bench(), np.arange(3, dtype=np.float32)
    for command in (Arm(), Takeoff(np.float32(0.5), 2.0), GoTo(x, np.float64(0.1), 1.5)):  # type: ignore[arg-type]
        bench.link.call(command)
    bench.link.stream(Setpoint(x, x + 1, x + 2, np.float32(0.5)), 1.0)  # type: ignore[arg-type]
    bench.link.call(NotifySetpointsStop())
    bench.link.call(Land(0.03, 1.5))
    assert bench.calls() == [
        ("arm", {"arm": True}),
        ("takeoff", {"targetHeight": 0.5, "duration": 2.0, "groupMask": 0}),
        ("goTo", {"goal": [0.0, 1.0, 2.0], "yaw": 0.1, "duration": 1.5, "relative": False, "groupMask": 0}),
        ("cmdFullState", {
            "pos": [0.0, 1.0, 2.0], "vel": [1.0, 2.0, 3.0], "acc": [2.0, 3.0, 4.0], "yaw": 0.5,
            "omega": [0.0, 0.0, 0.0],
        }),
        ("notify", {"remainValidMillisecs": 100, "groupMask": 0}),
        ("land", {"targetHeight": 0.03, "duration": 1.5, "groupMask": 0}),
    ]  # fmt: skip
    numbers = [v for _, given in bench.calls() for v in given.values()]
    flat = [n for v in numbers for n in (v if isinstance(v, list) else [v])]
    assert all(type(n) in (float, int, bool) for n in flat), "numpy scalars abort in rclpy"
    assert len(bench.spinner.waited) == 4, "no pause between the hand-over's two commands"


def no_place() -> None:
    """What the class does when the server has no initial_position."""
    raise AssertionError


def test_the_class_is_made_at_configure_within_a_limit() -> None:
    """The class would wait for ever: for a service, and for the server's answer."""
    bench = Bench()
    assert bench.link.missing() == []
    bench.graph.services.discard("/cf1/arm")
    with pytest.raises(ConfigError, match="nobody offers /cf1/arm within 0.3 s"):
        CrazyfliePyLink(
            bench.graph, bench.spinner, "cf1", 0.05, bench.calls_out, bench, dict, 0.3  # type: ignore[arg-type]
        )
    with pytest.raises(ConfigError, match="not done within 0.0 s"):
        made_within(bench.spinner, lambda: time.sleep(0.5), 0.01)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="AssertionError.*initial_position"):
        made_within(bench.spinner, no_place, 0.1)  # type: ignore[arg-type]
    bench.link.call(Arm())
    assert bench.lost == [(Arm(), "nobody offers /cf1/arm", False)] and bench.calls() == []


def test_an_emergency_stop_goes_through_a_client_of_ours_and_is_told() -> None:
    """crazyflie_py drops the answer."""
    bench = Bench()
    for send in (bench.link.cut, lambda: bench.link.call(Emergency()), bench.link.cut):
        send()
    (_, first), (_, second), (_, third) = bench.server.asked
    first.set_result(object())
    second.set_exception(RuntimeError("no radio"))
    bench.link.check()
    assert bench.taken == [Emergency()] and bench.lost == [(Emergency(), "no radio", False)]
    time.sleep(0.03)
    bench.link.check()
    assert bench.lost[1:] == [(Emergency(), "no answer within 0.0 s", True)] and third.cancelled()
    bench.server.offers = False
    bench.link.cut()
    assert bench.lost[2:] == [(Emergency(), "nobody offers the service", False)] and bench.calls() == []


def test_without_the_package_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, None)
    with pytest.raises(ConfigError, match="ros-jazzy-crazyflie-py, or set the commander's parameter link"):
        maker("cf1")


def test_the_class_is_made_on_a_node_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType(MODULE)
    module.Crazyflie = Recorded  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    monkeypatch.setitem(sys.modules, "crazyflie_py", types.ModuleType("crazyflie_py"))
    monkeypatch.setattr("rclpy.create_node", lambda name: name)
    assert maker("cf7")().calls == [("made", {"cfname": "cf7", "types": {}})]


def test_the_stand_in_has_the_real_signatures() -> None:
    real = pytest.importorskip(MODULE, reason="Crazyswarm2's package crazyflie_py is not installed").Crazyflie
    for name, ours in inspect.getmembers(Recorded, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(ours).parameters) == list(
                inspect.signature(getattr(real, name)).parameters
            )


def test_what_the_server_does_not_take_is_told_with_its_reason() -> None:
    good, bad = SetParametersResult(successful=True), SetParametersResult(reason="not declared")
    assert refusals(["cf1.params.a", "cf1.params.b"], [good, good]) == []
    [found] = refusals(["cf1.params.a", "cf1.params.b"], [good, bad])
    assert found.startswith("cf1.params.b cannot be set (not declared): is the robot of that name enabled")
    assert "answered 0 results to 1" in refusals(["cf1.params.a"], [])[0]


def test_what_does_not_read_as_it_was_set_is_told_whatever_the_answer_holds() -> None:
    names = {f"cf1.params.{CONTROLLER}": 2, f"cf1.params.{MASS}": 0.032}
    integer = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=2)
    double = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=float(np.float32(0.032)))
    assert differences(names, [integer, double]) == []
    odd = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="2")
    for answer, wrong in (([], 2), ([integer], 1), ([odd, double], 1), ([double, double], 1)):
        assert len(differences(names, answer)) == wrong


@pytest.mark.parametrize(("name", "value"), [("link", "topic"), ("check_firmware", "no")])
def test_a_misspelt_choice_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"parameter '{name}' must be one of"):
        replace(CommanderParameters(), **{name: value})


class Flown:
    """Stands for RobotLink under a CommanderNode: what a command's wait for its answer brings is in
    `meanwhile`."""

    def __init__(self) -> None:
        self.sent: list[Command] = []
        self.meanwhile = lambda: None

    def call(self, command: Command) -> None:
        self.sent.append(command)
        self.meanwhile()

    def cut(self) -> None:
        self.sent.append(Emergency())

    def check(self) -> None: ...


def test_what_a_tick_decided_is_dropped_when_an_emergency_stop_comes_in_between() -> None:
    robot, node = Robot(CommanderConfig(ready_time=0.6)), CommanderNode.__new__(CommanderNode)
    node.node, node._robot, node._commander = rclpy_free(), Flown(), robot.commander  # type: ignore[assignment]
    robot.until(FlightPhase.TAKEOFF)
    node._robot.meanwhile = lambda: node.ask_emergency("a button")  # type: ignore[attr-defined]
    assert not node._carry_out([Arm(), Takeoff(0.5, 2.0)], robot.t)
    assert node._robot.sent == [Arm(), Emergency()]  # type: ignore[attr-defined]
    assert node.ask_stop().startswith("the emergency stop is sent again; the fault stays until /deqmpc")
    assert node._commander.phase is FlightPhase.FAULT
    done, why = node.ask_reset()
    assert not done and "not answered yet" in why
    node.answered(Emergency())
    assert not node.ask_reset()[0], "it is sent a few times in any case"
    for _ in range(50):
        robot.tick()
    assert node.ask_reset()[0] and node._commander.phase is FlightPhase.IDLE


def rclpy_free() -> Any:
    """A node that has a logger."""
    return types.SimpleNamespace(get_logger=lambda: types.SimpleNamespace(error=lambda text: None))
