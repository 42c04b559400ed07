"""Transitions that fail say why and leave the node where it was; deactivate lands; cleanup leaves nothing."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import TransitionCallbackReturn
from std_msgs.msg import Empty

from deqmpc_core.errors import ConfigError, TransitionError
from deqmpc_core.flight import CommanderConfig, FlightPhase
from deqmpc_policy_node.commander_setup import CommanderParameters
from deqmpc_policy_node.lifecycle import ManagedNode
from deqmpc_policy_node.nodes import commander as commander_node
from deqmpc_policy_node.parameters import declare
from deqmpc_policy_node.process import Interrupt, Spinner

pytestmark = pytest.mark.ros
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class Behaviour:
    """Notes what it is told; raises where it is asked to."""

    def __init__(self, node: ManagedNode, fails: set[str], told: list[str]) -> None:
        self.node, self._fails, self._told = node, fails, told
        node.create_publisher(Empty, "made", 1)
        node.create_service(ChangeState, "offered", lambda request, response: response)
        self._do("configure")

    def _do(self, name: str) -> None:
        self._told.append(name)
        if name in self._fails:
            raise ConfigError(f"no {name} today; come back tomorrow")

    def activate(self) -> None:
        self._do("activate")

    def deactivate(self) -> None:
        self._do("deactivate")

    def cleanup(self) -> None:
        self._do("cleanup")

    def decide(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def node(domain: int) -> Iterator[ManagedNode]:
    del domain
    rclpy.init(args=[])
    made = ManagedNode("managed")
    yield made
    made.destroy_node()
    rclpy.try_shutdown()


def test_a_failed_transition_changes_nothing_and_keeps_its_sentence(node: ManagedNode) -> None:
    fails, told = {"configure"}, []
    node.on_build = lambda: Behaviour(node, fails, told)
    before = len(node._entities())
    assert node.trigger_configure() == FAILURE and node.state == State.PRIMARY_STATE_UNCONFIGURED
    assert "come back tomorrow" in str(node.trouble) and len(node._entities()) == before
    with pytest.raises(ConfigError, match="no configure today"):
        node.start()
    fails.clear()
    assert node.trigger_configure() == SUCCESS and node.trouble is None
    fails.add("activate")
    assert node.trigger_activate() == FAILURE and node.state == State.PRIMARY_STATE_INACTIVE
    fails.clear()
    assert node.trigger_activate() == SUCCESS and node.active
    fails.add("deactivate")
    assert node.trigger_deactivate() == FAILURE and node.active


def test_cleanup_leaves_no_entity_and_configure_works_again(node: ManagedNode) -> None:
    told: list[str] = []
    node.on_build = lambda: Behaviour(node, set(), told)
    before = len(node._entities())
    for _ in range(2):
        node.start()
        assert len(node._entities()) == before + 2
        assert node.trigger_deactivate() == node.trigger_cleanup() == SUCCESS
        assert len(node._entities()) == before and node.behaviour is None
    node.start()
    node.trigger_shutdown()
    assert node.finalized and told[-2:] == ["deactivate", "cleanup"]


def test_a_transition_out_of_turn_is_refused(node: ManagedNode) -> None:
    """rclpy raises in the service's callback, which would end the process."""
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    for wrong in (request, ChangeState.Request(transition=Transition(label="no-such"))):
        handle: Any = node._service_change_state.callback
        assert not handle(wrong, ChangeState.Response()).success
    assert node.state == State.PRIMARY_STATE_UNCONFIGURED


class Flight:
    """Stands for deqmpc_core.flight.Commander in flight: lands some ticks after it was told to stop."""

    def __init__(self, ends: FlightPhase | None) -> None:
        self.phase, self.reason, self._ends, self.ticks = FlightPhase.POLICY, "", ends, 0

    @property
    def done(self) -> bool:
        return self.phase in (FlightPhase.LANDED, FlightPhase.FAULT)

    def stop(self, reason: str) -> None:
        self.phase, self.reason = FlightPhase.LANDING, reason

    def tick(self) -> None:
        self.ticks += 1
        if self._ends and self.ticks >= 5:
            self.phase = self._ends


@pytest.mark.parametrize("ends", [FlightPhase.LANDED, FlightPhase.FAULT, None])
def test_deactivate_lands_before_it_succeeds(
    node: ManagedNode, ends: FlightPhase | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commander_node, "LAND_GRACE", -1.5)
    spinner = Spinner(node, Interrupt())
    parameters = replace(declare(node, CommanderParameters), check_firmware="skip")

    def build() -> commander_node.CommanderNode:
        return commander_node.CommanderNode(node, spinner, parameters, CommanderConfig(land_limit=2.0))

    node.on_build = build
    node.start()
    behaviour, flight = node.behaviour, Flight(ends)
    assert isinstance(behaviour, commander_node.CommanderNode)
    monkeypatch.setattr(behaviour, "_commander", flight)
    monkeypatch.setattr(behaviour, "_tick", lambda t: flight.tick())
    done = node.trigger_deactivate()
    assert flight.ticks >= 5 or ends is None
    if ends is FlightPhase.LANDED:
        assert done == SUCCESS and behaviour._timer is None
    else:
        assert done == FAILURE and node.active and isinstance(node.trouble, TransitionError)
