"""A whole run: check, start, fly, compare, write."""

import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from deqmpc.plots import plot_flight
from deqmpc.session.compare import compare
from deqmpc.session.display import Progress, report_lines, summary_table
from deqmpc.session.fault_flights import STEPS
from deqmpc.session.fault_run import fly_faults
from deqmpc.session.faults import parse_faults
from deqmpc.session.options import Sim
from deqmpc.session.run import Run
from deqmpc.session.settings import (
    RunSettings,
    new_run_directory,
    section,
    shipped_config,
    write_parameters,
)
from deqmpc.session.summary import write_json
from deqmpc.session.track import most_telling
from deqmpc.view.browser import HOST, free_port, show
from deqmpc_core import load_policy, load_task
from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.tasks import Task
from deqmpc_policy_node.topics import COMMANDER_NODE

NOT_AS_ASKED = 1


def fly(options: Sim, console: Console) -> int:
    """Exit status of the run. Raises an error of ours, with nothing left behind, when it cannot be flown."""
    task = load_task(options.task)
    settings = _settings(options, task)
    load_policy(options.policy, task=task)
    if settings.faults:
        return fly_faults(options, settings, console)
    directory = new_run_directory(options.runs_dir)
    files = [*shipped_config(), write_parameters(settings, directory)]
    times: dict[str, Any] = {"started": datetime.now(UTC).isoformat(timespec="seconds")}
    began = time.monotonic()
    with Progress(console, settings) as progress:
        with Run(settings, files, directory, progress.show) as run:
            progress.note(f"starting {', '.join(settings.nodes)}")
            if settings.view:
                show(console, f"http://{HOST}:{settings.view}")
            _fly_episodes(run, settings, directory)
        times["wall_seconds"] = round(time.monotonic() - began, 1)
        document = compare(settings, task, files, run, times, options.baselines, progress.note)
    write_json(document, directory / "summary.json")
    if options.json is not None:
        write_json(document, options.json)
    if not settings.plant:
        plot_flight(most_telling(run.tracks), task, settings.period, directory / "flight.png")
    _tell(console, run, options.policy, document, directory)
    return NOT_AS_ASKED if run.unexpected else 0


def _settings(options: Sim, task: Task) -> RunSettings:
    faults = parse_faults(options.faults)
    plant = task.system.name in PLANTS
    if plant and (faults or options.rate or options.view):
        raise ConfigError(
            f"--faults, --rate and --view are the drone's; task '{options.task}' is another robot's"
        )
    return RunSettings(
        options.policy,
        options.task,
        options.seed,
        options.episodes,
        options.speed or "realtime",
        options.steps or (STEPS if faults else task.episode_steps),
        task.dt,
        options.record,
        faults,
        str(section(shipped_config(), COMMANDER_NODE).get("robot", "cf1")),
        options.rate,
        plant,
        free_port(options.port) if options.view else 0,
    )


def _fly_episodes(run: Run, settings: RunSettings, directory: Path) -> None:
    """Bad input that shows before the first flight leaves no directory."""
    try:
        for episode in range(settings.episodes):
            run.fly(episode)
    except ConfigError:
        if not run.tracks:
            shutil.rmtree(directory, ignore_errors=True)
        raise


def _tell(console: Console, run: Run, policy: str, document: dict[str, Any], directory: Path) -> None:
    for line in report_lines(run.tracks) if run.deaths else []:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(summary_table(policy, document))
    console.print(f"results in {directory}", highlight=False, soft_wrap=True)
    for death in run.unexpected:
        sys.stderr.write(f"deqmpc sim: {death}; see {directory}/log\n")
