"""Ctrl-C in places where an exception must not appear."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def raise_on_terminate() -> None:
    """SIGTERM ends the command as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM wait; KeyboardInterrupt comes at the end instead.

    In the middle of rclpy's C code an exception would be lost, while processes are ended it would leave some.
    """
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        caught.append(number)

    old = {number: signal.signal(number, note) for number in NUMBERS}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt
