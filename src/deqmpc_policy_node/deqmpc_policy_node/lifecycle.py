"""A node with a life cycle (unconfigured, inactive, active) whose transitions are a behaviour's methods.

What rclpy leaves to its users is done here: a transition that raises is told in the log with its sentence
and fails, so that the node stays in the state it was in (rclpy swallows the exception); a transition that
the state does not allow is refused (rclpy lets the node die of it); what a behaviour created is destroyed at
cleanup. Publishers are plain ones: rclpy's LifecyclePublisher drops what an inactive node says without a
word, which is how a landing would go unseen.
"""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node

from deqmpc_core.errors import DeqmpcError, TransitionError
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.process import Spinner, guarded

Step = Callable[[], None]
MOST_FAILURES = 100
"""Rounds of the loop in a row that may fail; then the node is beyond help and closes."""


@dataclass(frozen=True)
class LifecycleParameters:
    """Parameters of every node with a life cycle."""

    autostart: bool = option(
        True, "configure and activate at the start; false: wait for a lifecycle manager (ros2 lifecycle set)"
    )


class Managed(Protocol):
    """What a node does while it is configured; made by the transition `configure`."""

    node: Node

    def activate(self) -> None:
        """Arm the timers. Raises an error of ours when that cannot be."""
        ...

    def deactivate(self) -> None:
        """Come to rest and cancel the timers; callbacks go on meanwhile where it waits with the spinner.

        Raises an error of ours when it cannot come to rest; the node then stays active.
        """
        ...

    def cleanup(self) -> None:
        """Let go of what is not an entity of the node: those are destroyed after this."""
        ...

    def decide(self) -> None:
        """Act on what has been stored; called after every wake-up of the executor while active."""
        ...

    def close(self) -> None:
        """The process ends: leave things in order."""
        ...


Build = Callable[["ManagedNode", Spinner], Managed]


class ManagedNode(LifecycleNodeMixin, Node):
    """The node; `on_build` makes its behaviour."""

    def __init__(self, name: str) -> None:
        Node.__init__(self, name)
        # A group of its own: other callbacks run while a transition waits for a landing.
        LifecycleNodeMixin.__init__(self, callback_group=MutuallyExclusiveCallbackGroup())
        service: Any = self._service_change_state
        service.callback = self._refusing(service.callback)
        self.on_build: Callable[[], Managed] | None = None
        self.behaviour: Managed | None = None
        self.trouble: Exception | None = None
        """Why the last transition failed, None after one that did not."""
        self._before: set[Any] = set()

    @property
    def state(self) -> int:
        """Of lifecycle_msgs/State."""
        return self._state_machine.current_state[0]

    @property
    def active(self) -> bool:
        """Whether the behaviour decides."""
        return self.state == State.PRIMARY_STATE_ACTIVE

    @property
    def finalized(self) -> bool:
        """Whether the node has been shut down."""
        return self.state == State.PRIMARY_STATE_FINALIZED

    def start(self) -> None:
        """Configure and activate; raises what the transition that failed raised."""
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise self.trouble or TransitionError(f"node {self.get_name()} did not start")

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Make the behaviour."""
        return self._carry_out("configure", self._configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Arm its timers."""
        return self._carry_out("activate", self._made().activate, super().on_activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring it to rest."""
        return self._carry_out("deactivate", self._made().deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let it go."""
        return self._carry_out("clean up", self._release, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Bring it to rest first where it is active; then let it go, come what may."""
        if state.state_id == State.PRIMARY_STATE_ACTIVE:
            self._carry_out("deactivate", self._made().deactivate, super().on_deactivate, state)
        return self._carry_out("shut down", self._release, super().on_shutdown, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        return self._carry_out("recover", self._release, super().on_error, state)

    def _carry_out(
        self, name: str, step: Step, inherited: Callable[..., Any], state: LifecycleState
    ) -> TransitionCallbackReturn:
        self.trouble = None
        try:
            step()
        except DeqmpcError as error:
            self.get_logger().error(f"cannot {name}: {error}")
            self.trouble = error
        except Exception as error:
            self.get_logger().error(f"cannot {name}: {traceback.format_exc()}")
            self.trouble = error
        return inherited(state) if self.trouble is None else TransitionCallbackReturn.FAILURE

    def _made(self) -> Managed:
        if self.behaviour is None:
            raise RuntimeError(f"node {self.get_name()} has not been configured")
        return self.behaviour

    def _configure(self) -> None:
        if self.on_build is None:
            raise RuntimeError(f"node {self.get_name()} does not know its behaviour")
        self._before = set(self._entities())
        try:
            self.behaviour = self.on_build()
        except Exception:
            self._release()
            raise

    def _release(self) -> None:
        if self.behaviour is not None:
            self.behaviour.cleanup()
        self.behaviour = None
        for entity in [e for e in self._entities() if e not in self._before]:
            self._destroyer(entity)(entity)

    def _entities(self) -> list[Any]:
        return [*self.publishers, *self.subscriptions, *self.clients, *self.services, *self.timers]

    def _destroyer(self, entity: Any) -> Callable[[Any], Any]:
        kinds = ("publisher", "subscription", "client", "service", "timer")
        return next(getattr(self, f"destroy_{kind}") for kind in kinds if entity in getattr(self, f"{kind}s"))

    def _refusing(self, handle: Callable[..., Any]) -> Callable[..., Any]:
        """The service's handler, refusing what rclpy raises on."""

        def change(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
            try:
                return handle(request, response)
            except Exception as error:
                asked = request.transition.label or request.transition.id
                self.get_logger().error(f"transition {asked} refused in this state: {error}")
                response.success = False
                return response

        return change


def run_managed(name: str, build: Build, parameters: Sequence[type] = ()) -> int:
    """Make the node `name`, declare `parameters`, start it or wait for a manager, and run it until a signal
    or its shutdown; errors of ours at the start become one sentence and status 2."""

    def work(node: ManagedNode, spinner: Spinner) -> int:
        settings = declare(node, LifecycleParameters)
        for config in parameters:
            declare(node, config)
        node.on_build = lambda: build(node, spinner)
        if settings.autostart:
            node.start()
        return _loop(node, spinner)

    return guarded(lambda: ManagedNode(name), work)


def _loop(node: ManagedNode, spinner: Spinner) -> int:
    failed = 0
    try:
        while not spinner.interrupt.requested and not node.finalized:
            try:
                spinner.once()
                if node.active and node.behaviour is not None:
                    node.behaviour.decide()
                failed = 0
            except Exception:
                failed = _again(node, failed + 1)
    finally:
        if node.active and node.behaviour is not None:
            node.behaviour.close()
    return 0


def _again(node: Node, failed: int) -> int:
    """Called in an except clause: a message or a moment that nobody thought of must not end a flight. Raises
    what was raised once it has failed too often in a row."""
    node.get_logger().error(f"internal error: {traceback.format_exc()}", throttle_duration_sec=1.0)
    if failed >= MOST_FAILURES or not node.context.ok():
        raise  # noqa: PLE0704
    return failed
