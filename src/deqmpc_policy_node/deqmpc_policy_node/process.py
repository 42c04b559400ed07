"""What every executable of ours shares: start, signals, one-sentence errors, a loop that decides outside
callbacks."""

import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol, TypeVar

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from deqmpc_core.errors import DeqmpcError

PATIENCE = 0.1
N = TypeVar("N", bound=Node)


class Interrupt:
    """Set by SIGINT and SIGTERM; the loop looks at it, so nothing is torn down inside a callback."""

    def __init__(self) -> None:
        self.requested = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.requested = True


class Deciding(Protocol):
    """A node whose callbacks store and whose `decide` acts."""

    node: Node

    def decide(self) -> None:
        """Act on what has been stored; called after every wake-up of the executor."""
        ...

    def close(self) -> None:
        """Leave things in order."""
        ...


class Spinner:
    """A single-threaded executor that can also wait in the middle of a decision."""

    def __init__(self, node: Node, interrupt: Interrupt) -> None:
        self.interrupt = interrupt
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)

    def once(self, timeout: float = PATIENCE) -> None:
        """Run at most one callback; a signal is seen after `timeout` [s] at the latest."""
        self._executor.spin_once(timeout_sec=timeout)

    def until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Run callbacks until the condition holds; False after `timeout` [s] or a signal."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0.0 or self.interrupt.requested:
                return False
            self.once(min(left, PATIENCE))
        return True


def run(name: str, build: Callable[[Node, Spinner], Deciding]) -> int:
    """Make the node `name` and its behaviour, run it until a signal; errors of ours become one sentence and
    status 2."""
    return guarded(lambda: Node(name), lambda node, spinner: _loop(node, spinner, build))


def guarded(make: Callable[[], N], work: Callable[[N, Spinner], int]) -> int:
    """The status of `work` with the node made by `make`, between rclpy's start and its end; errors of ours
    become one sentence and status 2."""
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    interrupt = Interrupt()
    node = make()
    try:
        return work(node, Spinner(node, interrupt))
    except DeqmpcError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def _loop(node: Node, spinner: Spinner, build: Callable[[Node, Spinner], Deciding]) -> int:
    behaviour = build(node, spinner)
    try:
        while not spinner.interrupt.requested:
            spinner.once()
            behaviour.decide()
    finally:
        behaviour.close()
    return 0
