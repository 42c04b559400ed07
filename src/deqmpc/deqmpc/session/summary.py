"""summary.json: figures of a run that do not depend on the machine, but for tick_ms_* and times."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deqmpc.session.settings import RunSettings
from deqmpc.session.track import Track
from deqmpc_core import files

DIGITS = 9


def episode_entry(
    track: Track, expert: float | None, settings: RunSettings, troubled: bool
) -> dict[str, Any]:
    """One entry of "episodes". troubled: a fault was asked for or a process died, so tell what happened."""
    verdict = track.verdict
    entry: dict[str, Any] = {
        "seed": track.seed,
        "episode": track.episode,
        "return": verdict.return_ if verdict else None,
        "expert_return": expert,
        "success": bool(verdict and verdict.success),
        "failure": verdict.failure if verdict else "the episode did not end",
        "final_distance": verdict.final_distance if verdict else None,
        "min_obstacle_distance": verdict.min_obstacle_distance if verdict else None,
        "tick_ms_p50": track.tick_quantile(0.5),
        "tick_ms_p99": track.tick_quantile(0.99),
        "overruns": overruns(track, settings),
    }
    if troubled:
        entry["happened"] = track.report()
    return entry


def overruns(track: Track, settings: RunSettings) -> int:
    """Ticks longer than a policy period; none in lock-step, where time waits for the tick."""
    if settings.lock_step:
        return 0
    return sum(tick > 1e3 * settings.plan_period for tick in track.tick_ms)


def normalised(returns: Sequence[float | None], experts: Sequence[float | None]) -> float | None:
    """Mean return over the expert's mean return on the same starts; None where one is unknown or the signs
    differ."""
    if not returns or any(value is None for value in (*returns, *experts)):
        return None
    mean, expert = float(np.mean(np.array(returns, float))), float(np.mean(np.array(experts, float)))
    if mean * expert <= 0.0:
        return None
    return mean / expert if expert > 0.0 else expert / mean


def group(entries: Sequence[dict[str, Any]], experts: Sequence[float | None]) -> dict[str, Any]:
    """Rates and means of a set of episodes."""
    count = max(len(entries), 1)
    returns = [entry["return"] for entry in entries]
    known = [value for value in returns if value is not None]
    return {
        "success_rate": sum(entry["success"] for entry in entries) / count,
        "failure_rate": sum(entry["failure"] is not None for entry in entries) / count,
        "return_mean": float(np.mean(known)) if known else None,
        "normalised_return": normalised(returns, experts),
    }


def summary(
    settings: RunSettings,
    entries: list[dict[str, Any]],
    experts: Sequence[float | None],
    baselines: dict[str, list[dict[str, Any]]],
    times: dict[str, Any],
) -> dict[str, Any]:
    """The whole document; experts are those of the episodes flown."""
    return {
        "policy": settings.policy,
        "task": settings.task,
        "speed": settings.speed,
        "faults": [],
        "times": times,
        **group(entries, experts),
        "baselines": {
            name: {**group(flights, experts), "episodes": flights} for name, flights in baselines.items()
        },
        "episodes": entries,
    }


def write_json(document: dict[str, Any], path: Path) -> None:
    """Write it whole or not at all; numbers that JSON does not know become null."""
    files.write_json(path, _plain(document))


def _plain(value: Any) -> Any:
    """Figures to 1e-9: seen across loads of the machine, flights of a seed differ by some 1e-16 m at most."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
