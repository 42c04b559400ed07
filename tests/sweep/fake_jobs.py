"""Jobs for tests: quick, and able to die."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from deqmpc_core.files import read_json, write_json
from deqmpc_train.sweep import Work


def add(work: Work) -> dict[str, Any]:
    """The sum of its number and of what it needs."""
    with Path(work.hints.get("log", os.devnull)).open("a") as log:
        log.write(f"{work.config['number']}\n")
    return {"sum": work.config["number"] + sum(work.found(role)["sum"] for role in work.needs)}


def count(work: Work) -> dict[str, Any]:
    """Counts on from its checkpoint, and dies in its first `deaths` attempts, each two counts further."""
    file = work.place / "count.json"
    state = read_json(file) if file.is_file() else {"at": 0, "attempts": 0, "value": work.config["seed"]}
    state["attempts"] += 1
    for at in range(state["at"], work.config["steps"]):
        state |= {"at": at + 1, "value": (state["value"] * 6364136223846793005 + at) % 2**61}
        write_json(file, state)
        work.progress(at + 1, work.config["steps"])
        if state["attempts"] <= work.hints.get("deaths", 0) and at + 1 >= 2 * state["attempts"]:
            os.kill(os.getpid(), signal.SIGKILL)
    file.unlink()
    return {"value": state["value"]}


def fail(work: Work) -> dict[str, Any]:
    """Always."""
    raise ValueError("it is meant to")


def wait(work: Work) -> dict[str, Any]:
    """Long enough to be seen; tells when."""
    begun = time.time()
    time.sleep(0.3)
    return {"begun": begun, "ended": time.time()}
