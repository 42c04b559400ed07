"""The commander's ways to the robot: crazyflie_py by its public methods, the look at the firmware."""

import inspect
import sys
import types
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rcl_interfaces.msg import ParameterType, ParameterValue

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Arm, Command, Emergency, GoTo, Land, NotifySetpointsStop, Setpoint, Takeoff
from deqmpc_policy_node.commander_setup import CommanderParameters
from deqmpc_policy_node.crazyflie_py_link import MODULE, NEEDED, SERVER, CrazyfliePyLink, maker
from deqmpc_policy_node.firmware_check import CONTROLLER, MASS, _read, firmware_objections

ALL_SERVICES = {f"/cf1/{name}" for name in NEEDED} | set(SERVER)


class Recorded:
    """Stands in for crazyflie_py's Crazyflie: its methods with the signatures of version 1.0.7, recorded."""

    def __init__(self, node: Any, cfname: str, paramTypeDict: dict) -> None:
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
        return bool(condition())


class Bench:
    def __init__(self) -> None:
        self.graph, self.spinner = Graph(), Waits()
        self.refused: list[tuple[Command, str]] = []
        self.crazyflie = Recorded(None, "cf1", {})
        self.link = CrazyfliePyLink(
            self.graph, self.spinner, "cf1", 0.05,  # type: ignore[arg-type]
            lambda command, why: self.refused.append((command, why)), lambda: self.crazyflie,
        )  # fmt: skip

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        return self.crazyflie.calls[1:]


def test_commands_become_calls_with_plain_floats() -> None:
    bench, x = Bench(), np.arange(3, dtype=np.float32)
    for command in (Arm(), Takeoff(np.float32(0.5), 2.0), GoTo(x, np.float64(0.1), 1.5)):  # type: ignore[arg-type]
        bench.link.call(command)
    bench.link.stream(Setpoint(x, x + 1, x + 2, np.float32(0.5)), 1.0)  # type: ignore[arg-type]
    bench.link.call(NotifySetpointsStop())
    bench.link.call(Land(0.03, 1.5))
    bench.link.cut()
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
        ("emergency", {}),
    ]  # fmt: skip
    numbers = [v for _, given in bench.calls() for v in given.values()]
    flat = [n for v in numbers for n in (v if isinstance(v, list) else [v])]
    assert all(type(n) in (float, int, bool) for n in flat), "numpy scalars abort in rclpy"
    assert len(bench.spinner.waited) == 4, "no pause between the hand-over's two commands"


def test_what_is_missing_is_refused_and_not_waited_for() -> None:
    """The class would wait for ever."""
    bench = Bench()
    bench.graph.services.discard("/cf1/upload_trajectory")
    assert bench.link.missing() == ["/cf1/upload_trajectory"]
    bench.link.call(Arm())
    bench.link.cut()
    why = "nobody offers /cf1/upload_trajectory"
    assert bench.refused == [(Arm(), why), (Emergency(), why)] and bench.calls() == []


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


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({CONTROLLER: 2.0, MASS: 0.032}, []),
        ({CONTROLLER: 1.0, MASS: 0.032}, ["stabilizer.controller is 1, expected 2 (Mellinger)"]),
        ({CONTROLLER: 2.0, MASS: 0.027}, ["ctrlMel.mass is 0.0270 kg, the robot weighs 0.0320 kg"]),
        ({}, ["stabilizer.controller is not offered", "ctrlMel.mass is not offered"]),
        ({CONTROLLER: float("nan"), MASS: -1.0}, ["stabilizer.controller is not", "ctrlMel.mass is not"]),
    ],
)
def test_the_firmware_is_looked_at(values: dict[str, float], words: list[str]) -> None:
    found = firmware_objections(values, 0.032)
    assert len(found) == len(words) and all(a.startswith(b) for a, b in zip(found, words, strict=True))


def test_the_servers_answer_is_read_whatever_it_holds() -> None:
    integer = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=2)
    double = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=0.032)
    assert _read([CONTROLLER, MASS], [integer, double], 0.032) == []
    for odd in (
        [],
        [integer],
        [ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="2"), double],
    ):
        assert _read([CONTROLLER, MASS], odd, 0.032)


@pytest.mark.parametrize(("name", "value"), [("link", "topic"), ("check_firmware", "no")])
def test_a_misspelt_choice_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"parameter '{name}' must be one of"):
        replace(CommanderParameters(), **{name: value})
