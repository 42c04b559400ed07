"""How long a call takes."""

import time
from collections.abc import Callable
from typing import Any


def seconds_of(call: Callable[[], Any]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
