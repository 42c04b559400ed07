"""`deqmpc sim`: fly a policy on the simulated Crazyflie over ROS 2 topics, and judge it."""

import importlib.util
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import tyro
from rich.console import Console

from deqmpc_core.errors import ConfigError, DeqmpcError

INTERRUPTED, NOT_FLOWN, BAD_INPUT = 130, 1, 2
NEEDED = ("rclpy", "deqmpc_interfaces", "crazyflie_interfaces", "mocap4r2_msgs")


@dataclass(frozen=True)
class Sim:
    """Fly a policy on the simulated Crazyflie over ROS 2 topics.

    Simulator, policy, commander and recorder run as processes of their own in a free ROS domain. Results go to
    RUNS_DIR/<UTC time>/: summary.json, flight.png, bag/, log/.
    """

    policy: str = "deqmpc-deq"
    """Path or name of a bundle, a variant, or goal-mpc, hover, straight-line."""
    task: str = "crazyflie"
    """Task the policy must be made for."""
    episodes: int = 1
    """Number of flights; their starts depend on the seed and their number alone."""
    seed: int = 0
    """Seed of starts and noise."""
    speed: Literal["realtime", "max"] = "realtime"
    """max: lock-step as fast as the machine can; the same seed gives the same flight."""
    faults: str = ""
    """Faults in mid-flight, separated by commas: policy_killed, commander_killed."""
    record: bool = True
    """Write an MCAP bag."""
    baselines: bool = True
    """Fly hover, straight_line and goal_mpc on the same starts too."""
    json: Path | None = None
    """Write the summary here as well."""
    runs_dir: Path = Path("runs")
    """Where runs are kept."""
    steps: int = 0
    """Policy periods an episode; 0: the task's."""
    domain: int | None = None
    """ROS domain to use; by default $ROS_DOMAIN_ID, else a free one."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    options = tyro.cli(Sim, args=arguments, prog="deqmpc sim")
    console = Console()
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        return _run(options, console)
    except KeyboardInterrupt:
        console.print("interrupted; every process has ended")
        return INTERRUPTED
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc sim: {error}\n")
        return BAD_INPUT


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _check(options: Sim) -> None:
    """What can be refused before anything is started."""
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(f"the ROS 2 package '{package}' is not installed; run `make build`, or source the workspace")
    if options.episodes < 1 or options.seed < 0 or options.steps < 0:
        raise ConfigError(
            "--episodes must be at least 1, --seed and --steps not negative, "
            f"got {options.episodes}, {options.seed} and {options.steps}"
        )


def _wanted_domain(options: Sim) -> int | None:
    given = os.environ.get("ROS_DOMAIN_ID", "")
    if options.domain is not None or not given:
        return options.domain
    if not given.isdigit():
        raise ConfigError(f"ROS_DOMAIN_ID must be a number from 0 to 101, got '{given}'; unset it to get a free domain")
    return int(given)


def _run(options: Sim, console: Console) -> int:
    _check(options)
    from deqmpc.session.domain import take_domain

    domain = take_domain(_wanted_domain(options))
    os.environ["ROS_DOMAIN_ID"] = str(domain.number)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    try:
        return _fly_in_domain(options, console)
    finally:
        domain.release()


def _fly_in_domain(options: Sim, console: Console) -> int:
    from deqmpc.session.faults import parse_faults
    from deqmpc.session.settings import RunSettings, new_run_directory, shipped_config, write_parameters
    from deqmpc_core import load_policy, load_task

    task = load_task(options.task)
    faults = parse_faults(options.faults)
    load_policy(options.policy, task=task)
    settings = RunSettings(
        options.policy,
        options.task,
        options.seed,
        options.episodes,
        options.speed,
        options.steps or task.episode_steps,
        task.dt,
        options.record,
        faults,
    )
    directory = new_run_directory(options.runs_dir)
    files = [*shipped_config(), write_parameters(settings, directory)]
    return _Flight(options, settings, task, directory, files, console).run()


class _Flight:
    """Fly, compare, write."""

    def __init__(
        self, options: Sim, settings: Any, task: Any, directory: Path, files: list[Path], console: Console
    ) -> None:
        self._options, self._settings, self._task = options, settings, task
        self._directory, self._files, self._console = directory, files, console
        self._times: dict[str, Any] = {"started": datetime.now(UTC).isoformat(timespec="seconds")}

    def run(self) -> int:
        from deqmpc.session.display import Progress
        from deqmpc.session.run import Run

        began = time.monotonic()
        with Progress(self._console, self._settings) as progress:
            with Run(self._settings, self._files, self._directory, progress.show) as run:
                self._fly(run, progress)
            self._times["wall_seconds"] = round(time.monotonic() - began, 1)
            document = self._compare(run, progress)
        self._write(document, run)
        return self._status(run)

    def _fly(self, run: Any, progress: Any) -> None:
        """Bad input that shows before the first flight leaves nothing behind."""
        progress.note("starting simulator, policy, commander and recorder")
        try:
            for episode in range(self._settings.episodes):
                run.fly(episode)
        except ConfigError:
            if not run.tracks:
                shutil.rmtree(self._directory, ignore_errors=True)
            raise

    def _compare(self, run: Any, progress: Any) -> dict[str, Any]:
        from deqmpc.session.compare import compare

        return compare(self._settings, self._task, self._files, run, self._times, self._options.baselines, progress.note)

    def _write(self, document: dict[str, Any], run: Any) -> None:
        from deqmpc.plots import plot_flight
        from deqmpc.session.display import report_lines, summary_table
        from deqmpc.session.summary import write_json

        write_json(document, self._directory / "summary.json")
        if self._options.json is not None:
            write_json(document, self._options.json)
        plot_flight(run.tracks[0], self._task, self._settings.period, self._directory / "flight.png")
        if run.troubled:
            for line in report_lines(run.tracks):
                self._console.print(line, highlight=False, markup=False)
        self._console.print(summary_table(self._options.policy, document))
        self._console.print(f"results in {self._directory}", highlight=False)

    def _status(self, run: Any) -> int:
        """Not 0 when a process died that no fault was asked to kill."""
        for death in run.unexpected:
            sys.stderr.write(f"deqmpc sim: {death}; see {self._directory}/log\n")
        return NOT_FLOWN if run.unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
