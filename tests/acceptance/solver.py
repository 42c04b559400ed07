"""What the acceptance runs of the solver share: problems, and figures kept by the state of the library."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kept import ROOT, kept_under, once

from deqmpc_core.testing import Problems, random_problems, warm_set

IPOPT = Path(os.environ.get("DEQMPC_IPOPT", ROOT / "runs" / "accept-3" / "ipopt"))
SEED, COUNT, DRAWN = 0, 200, 220
PARTS = ("mpc", "systems", "tasks", "testing")  # what the figures depend on


def measured(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The figures `measure` gives, measured once for each state of the library."""
    file = kept_under(3, *(f"src/deqmpc_core/deqmpc_core/{p}" for p in PARTS)) / f"{name}.json"
    figures = once(file, measure)
    print(name, figures)
    return figures


def chosen(horizon: int, obstacles: int, warm: bool) -> Problems:
    if warm:
        return warm_set("quadrotor", horizon, COUNT, SEED, obstacles, IPOPT)
    return random_problems("quadrotor", horizon, DRAWN, SEED, obstacles)
