"""After the flights: the expert's returns and the baselines on the same starts, then the summary."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from deqmpc.session.baselines import BASELINES, PLANT_BASELINES, expert_returns, fly_baseline
from deqmpc.session.run import Run
from deqmpc.session.settings import SIMULATOR_NODE, RunSettings, configured
from deqmpc.session.summary import episode_entry, summary
from deqmpc_core.flight import CommanderConfig
from deqmpc_core.tasks import Task
from deqmpc_policy_node.topics import COMMANDER_NODE
from deqmpc_sim.firmware import TruthConfig


def compare(
    settings: RunSettings,
    task: Task,
    files: list[Path],
    run: Run,
    times: dict[str, Any],
    baselines: bool,
    note: Callable[[str], None],
) -> dict[str, Any]:
    """The summary of the run's tracks; `note` tells the user what is being computed."""
    count = len(run.tracks)
    wanted = () if not baselines else (PLANT_BASELINES if settings.plant else BASELINES)
    truth = configured(TruthConfig, files, SIMULATOR_NODE)
    commander = configured(CommanderConfig, files, COMMANDER_NODE)
    experts = expert_returns(task, settings.seed, count, settings.steps, _counter("expert", count, note))
    flights = {
        name: fly_baseline(
            name, task, settings.seed, count, settings.steps, truth, commander, _counter(name, count, note)
        )
        for name in wanted
    }
    pairs = zip(run.tracks, experts, strict=True)
    entries = [episode_entry(track, expert, settings, run.troubled) for track, expert in pairs]
    return summary(settings, entries, experts, flights, times)


def _counter(name: str, count: int, note: Callable[[str], None]) -> Callable[[], None]:
    flown = 0

    def done() -> None:
        nonlocal flown
        flown += 1
        note(f"flying for comparison: {name}, {flown} of {count}")

    return done
