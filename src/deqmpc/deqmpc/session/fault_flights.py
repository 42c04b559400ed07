"""`deqmpc sim --faults`: one flight a fault over the real processes.

Flights whose fault is the simulator's alone share their processes. A fault that touches a process gets
processes of its own, and so that nothing of a killed one lingers in the graph, each set is started by a child
of this process that ends with it.
"""

import math
import multiprocessing
import shutil
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import yaml

from deqmpc.session.fault_rows import row
from deqmpc.session.faults import Fault
from deqmpc.session.interrupts import raise_on_terminate
from deqmpc.session.processes import die_with_parent
from deqmpc.session.run import Run
from deqmpc.session.settings import SIMULATOR_NODE, RunSettings, write_parameters
from deqmpc.session.small_disk import possible
from deqmpc.session.striker import launches
from deqmpc.session.summary import episode_entry
from deqmpc.session.track import Track
from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.flight.configuration import CommanderConfig
from deqmpc_policy_node.topics import COMMANDER_NODE

STEPS = 60
"""Policy periods a flight, unless --steps says otherwise: the fault strikes half-way."""
CLOSING = 30.0
ATTEMPTS = 3


@dataclass(frozen=True)
class Flight:
    """What came of one fault: its row of the table, the referee's figures, the track for a picture."""

    row: dict[str, Any]
    entry: dict[str, Any]
    track: Track


def speed_of(fault: Fault, asked: str | None) -> str:
    """Lock-step unless the fault has no meaning there or the user wants otherwise. Raises ConfigError."""
    if asked == "max" and fault.realtime:
        raise ConfigError(f"fault '{fault.name}' has no meaning where time waits; leave --speed max out")
    return asked or ("realtime" if fault.realtime else "max")


def groups(faults: Sequence[Fault], asked: str | None) -> list[list[Fault]]:
    """Faults that may share processes, in the order of their first."""
    shared: dict[str, list[Fault]] = {}
    found: list[list[Fault]] = []
    for fault in faults:
        speed = speed_of(fault, asked)
        if fault.own_stack:
            found.append([fault])
        elif speed in shared:
            shared[speed].append(fault)
        else:
            shared[speed] = [fault]
            found.append(shared[speed])
    return found


def fly_groups(
    settings: RunSettings,
    files: list[Path],
    directory: Path,
    faults: Sequence[Fault],
    asked: str | None,
    config: CommanderConfig,
    done: Callable[[Flight], None],
) -> list[Flight]:
    """Every fault flown, in the order given; `done` hears of each. settings.steps are those of these flights.

    Raises the error of a flight that could not be flown.
    """
    flights: dict[str, Flight] = {}
    for group in groups(faults, asked):
        mine = replace(settings, speed=speed_of(group[0], asked), record=settings.record or _recorded(group))
        folder = directory / (group[0].name if len(group) == 1 else "shared")
        folder.mkdir()
        parameters = [*files, write_parameters(mine, folder), _patient(folder)]
        for flight in _in_child(mine, parameters, folder, group, config):
            flights[flight.row["fault"]] = flight
            done(flight)
    return [flights[fault.name] for fault in faults]


def _patient(folder: Path) -> Path:
    """A busy machine is none of the faults: lock-step waits longer before it takes someone for lost."""
    nodes = {
        SIMULATOR_NODE: {"step_timeout": 30.0},
        COMMANDER_NODE: {"step_timeout": 15.0},
    }
    path = folder / "patience.yaml"
    path.write_text(yaml.safe_dump({name: {"ros__parameters": values} for name, values in nodes.items()}))
    return path


def _recorded(group: Sequence[Fault]) -> bool:
    return any(fault.needs_recorder for fault in group)


def _in_child(*job: Any) -> Any:
    """Flights as they are finished. The child is forked: what is imported stays, ROS begins anew."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, *job))
    child.start()
    theirs.close()
    try:
        yield from _received(ours)
        child.join(CLOSING)
    finally:
        if child.is_alive():
            child.terminate()
            child.join(CLOSING)
        if child.is_alive():
            child.kill()
            child.join()


def _received(pipe: Connection) -> Any:
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            raise DeqmpcError("the process that flew the faults ended without a word") from None
        if message is None:
            return
        if isinstance(message, DeqmpcError):
            raise message
        yield message


def _child(pipe: Connection, *job: Any) -> None:
    raise_on_terminate()
    die_with_parent()
    try:
        for flight in _fly(*job):
            pipe.send(flight)
        pipe.send(None)
    except DeqmpcError as error:
        pipe.send(error)
    except KeyboardInterrupt:
        pass
    except Exception:
        pipe.send(DeqmpcError(traceback.format_exc()))


def _struck_flight(run: Run, fault: Fault) -> Track:
    """A flight that ends before the fault has struck says nothing about it: a machine too busy for real time.
    It is flown again, the last time for good. Raises ConfigError where it cannot be begun."""
    for _ in range(ATTEMPTS - 1):
        with suppress(ConfigError):
            track = run.fly(0, fault)
            if fault.grounded or not math.isnan(track.struck):
                return track
    return run.fly(0, fault)


def _fly(
    settings: RunSettings, files: list[Path], folder: Path, group: list[Fault], config: CommanderConfig
) -> Any:
    started = launches(group[0], settings.period, folder)
    if group[0].disk_size and not possible(folder / "disk"):
        track = Track(settings.seed, 0)
        track.happened.append((0.0, "not available: no small disk without root or user namespaces"))
        entry = episode_entry(track, None, settings, troubled=True)
        yield Flight(row(group[0], track, settings, config, ""), entry, track)
        return
    with Run(settings, files, folder, lambda track: None, started) as run:
        for fault in group:
            track = _struck_flight(run, fault)
            log = run.log("recorder")
            entry = episode_entry(track, None, settings, troubled=True)
            yield Flight(row(fault, track, settings, config, log), entry, track)
    shutil.rmtree(folder / "corrupt", ignore_errors=True)
