"""A run of `deqmpc sim --faults`: check, fly, tell."""

import shutil
import time
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from deqmpc.session.fault_flights import Flight, fly_groups, groups
from deqmpc.session.fault_rows import table
from deqmpc.session.faults import AFTER_STEPS, FAULTS
from deqmpc.session.options import Sim
from deqmpc.session.settings import RunSettings, configured, new_run_directory, shipped_config
from deqmpc.session.summary import summary, write_json
from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.configuration import CommanderConfig
from deqmpc_policy_node.topics import COMMANDER_NODE

NOT_AS_DEMANDED = 1


def fly_faults(options: Sim, settings: RunSettings, console: Console) -> int:
    """0 only if every fault is answered as demanded. Raises an error of ours when it cannot be flown."""
    faults = [FAULTS[name] for name in settings.faults]
    _check(options, settings)
    groups(faults, options.speed)
    directory, files = new_run_directory(options.runs_dir), shipped_config()
    config = configured(CommanderConfig, files, COMMANDER_NODE)
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    try:
        flights = fly_groups(settings, files, directory, faults, options.speed, config, _teller(console))
    except ConfigError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    times = {"started": started, "wall_seconds": round(time.monotonic() - began, 1)}
    document = _document(settings, flights, times)
    write_json(document, directory / "faults.json")
    if options.json is not None:
        write_json(document, options.json)
    console.print(table(document["faults"]))
    console.print(f"results in {directory}", highlight=False, soft_wrap=True)
    return 0 if document["holds"] else NOT_AS_DEMANDED


def _check(options: Sim, settings: RunSettings) -> None:
    if options.episodes != 1:
        raise ConfigError(
            f"--faults flies once a fault; leave --episodes {options.episodes} out, or vary --seed"
        )
    if settings.steps < 2 * AFTER_STEPS:
        raise ConfigError(
            f"--faults strikes after {AFTER_STEPS} policy periods and watches as long again: "
            f"--steps must be at least {2 * AFTER_STEPS}, got {settings.steps}"
        )


def _teller(console: Console) -> Any:
    def tell(flight: Flight) -> None:
        verdict = "as demanded" if flight.row["holds"] else "NOT as demanded"
        line = f"{flight.row['fault']}: {verdict}; {flight.row['seen']}"
        for text in (line, *(f"  {objection}" for objection in flight.row["objections"])):
            console.print(text, highlight=False, markup=False, soft_wrap=True)

    return tell


def _document(settings: RunSettings, flights: list[Flight], times: dict[str, Any]) -> dict[str, Any]:
    """The summary of the flights, with a row a fault and whether all hold."""
    entries, rows = [flight.entry for flight in flights], [flight.row for flight in flights]
    document = summary(settings, entries, [None] * len(entries), {}, times)
    return {**document, "speed": "", "faults": rows, "holds": all(row["holds"] for row in rows)}
