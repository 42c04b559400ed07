"""How a verb ends: with a status, and one sentence where something was wrong or the user stopped it."""

from collections.abc import Callable

from rich.console import Console

from deqmpc_core.errors import INTERRUPTED, DeqmpcError

AGAIN = "the same command goes on where this one stood"
RESUME = "add --resume to go on from the last checkpoint"


def status_of(verb: str, work: Callable[[], int | None], console: Console, go_on: str = AGAIN) -> int:
    """The status of `work`: its own, or 0. An error of ours is told in red and gives its status (1: failed,
    2: wrong use), a stop gives INTERRUPTED and is told on the console with how to go on."""
    try:
        return work() or 0
    except DeqmpcError as error:
        Console(stderr=True).print(f"deqmpc {verb}: {error}", style="red", markup=False, highlight=False)
        return error.status
    except KeyboardInterrupt:
        console.print(f"stopped; {go_on}" if go_on else "stopped")
        return INTERRUPTED
