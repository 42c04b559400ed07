"""The report of a flight: `runs/<UTC time>/` of `deqmpc sim`, or a folder with bags."""

from pathlib import Path
from typing import Any

import numpy as np

from deqmpc.report import html
from deqmpc.report.bag import Recorded, bags, read
from deqmpc.report.drawings import draw_clearance, draw_path, draw_ticks
from deqmpc_core.bundle import find_bundle
from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.files import read_json

_COLUMNS = {
    "episode": "episode", "success": "success", "failure": "failure", "return": "return",
    "expert_return": "of the expert", "final_distance": "from the goal [m]",
    "min_obstacle_distance": "nearest obstacle [m]", "tick_ms_p50": "tick, median [ms]",
    "tick_ms_p99": "tick, 99 % [ms]", "overruns": "overruns",
}  # fmt: skip
_NOTES = (
    "policy_sha256", "config_sha256", "deqmpc", "python", "torch", "numpy", "numba", "mcap", "speed", "seed",
)  # fmt: skip


def is_flight(run: Path) -> bool:
    """Whether the folder holds what this report tells of."""
    return any((run / name).is_file() for name in ("summary.json", "faults.json")) or bool(bags(run))


def flight_report(run: Path, episode: int | None) -> str:
    """The page. episode: the one that is drawn; by default one that failed, else the one nearest to an
    obstacle. Raises ConfigError for an episode that is not there, DataError for a bag that cannot be read."""
    document = _document(run)
    episodes: list[dict[str, Any]] = document.get("episodes", [])
    recorded = bags(run)
    chosen = _chosen(episodes, len(recorded), episode)
    told = read(recorded[chosen]) if chosen < len(recorded) else None
    policy = str(document.get("policy") or (told.notes.get("policy") if told else "") or "")
    task = str(document.get("task") or (told.notes.get("task") if told else "") or "")
    return html.page(
        f"Flight of {Path(policy).name or 'an unnamed policy'}",
        [
            _summary(run, document, policy, task),
            html.section("Policies on the same starts", _compared(document, policy)),
            html.section("Episodes", html.table(list(_COLUMNS.values()), _rows(episodes))),
            html.section("Faults", _faults(document)),
            _flown(run, told, chosen),
            html.section("Bag", _bag(recorded[chosen], told) if told else ""),
            html.section("Policy card", _card(policy, task)),
        ],
    )


def _document(run: Path) -> dict[str, Any]:
    for name in ("summary.json", "faults.json"):
        if (run / name).is_file():
            return read_json(run / name)
    return {}


def _chosen(episodes: list[dict[str, Any]], recorded: int, wanted: int | None) -> int:
    count = max(len(episodes), recorded, 1)
    if wanted is not None:
        if not 0 <= wanted < count:
            raise ConfigError(f"--episode must be from 0 to {count - 1}, got {wanted}")
        return wanted
    failed = [index for index, entry in enumerate(episodes) if entry.get("failure")]
    if failed:
        return failed[0]
    near = [entry.get("min_obstacle_distance") for entry in episodes]
    return int(np.argmin([np.inf if value is None else value for value in near])) if near else 0


def _summary(run: Path, document: dict[str, Any], policy: str, task: str) -> str:
    times = document.get("times", {})
    values = {
        "policy": policy, "task": task, "speed": document.get("speed"), "started": times.get("started"),
        "wall time [s]": times.get("wall_seconds"), "success": _share(document.get("success_rate")),
        "failures": _share(document.get("failure_rate")), "mean return": document.get("return_mean"),
        "of the expert's return": document.get("normalised_return"), "folder": run.name,
    }  # fmt: skip
    return html.section("Summary", html.facts(values))


def _share(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.0%}"


def _compared(document: dict[str, Any], policy: str) -> str:
    others = document.get("baselines") or {}
    groups = [(policy, document), *others.items()] if others else []
    keys = ("return_mean", "normalised_return", "success_rate", "failure_rate")
    head = ("policy", "mean return", "of the expert's", "success rate", "failure rate")
    return html.table(head, [(name, *(group.get(key) for key in keys)) for name, group in groups])


def _rows(episodes: list[dict[str, Any]]) -> list[list[Any]]:
    return [[entry.get(key) for key in _COLUMNS] for entry in episodes]


def _faults(document: dict[str, Any]) -> str:
    rows = [row for row in document.get("faults", []) if isinstance(row, dict)]
    verdict = {True: "as demanded", False: "NOT as demanded"}
    lines = []
    for row in rows:
        why = "; ".join(row.get("objections", []))
        lines.append((row.get("fault"), verdict[bool(row.get("holds"))], row.get("seen"), why))
    return html.table(("fault", "answer", "seen", "objections"), lines)


def _flown(run: Path, told: Recorded | None, chosen: int) -> str:
    title = f"Episode {chosen}"
    if told is None:
        image = run / "flight.png"
        shown = html.picture(image, "path, clearance and tick times") if image.is_file() else ""
        return html.section(title, html.paragraph("no recording of it", "note"), shown)
    return html.section(
        title,
        html.drawing(draw_path(told), "path from above and from the side"),
        html.drawing(draw_clearance(told), "distance to the nearest obstacle"),
        html.drawing(draw_ticks(told), "tick times"),
        html.facts(_tick_facts(told)),
        html.table(("time [s]", "phase", "why"), [(round(t, 2), name, why) for t, name, why in told.phases]),
        html.folded("what the firmware did", html.preformatted("\n".join(told.firmware))),
    )


def _tick_facts(told: Recorded) -> dict[str, Any]:
    if not len(told.ticks):
        return {"plans": "none"}
    tick = told.ticks[:, 1]
    return {
        "plans": len(tick), "by": ", ".join(f"{name} ({n})" for name, n in told.policies.items()),
        "tick, median [ms]": float(np.median(tick)), "tick, 99 % [ms]": float(np.quantile(tick, 0.99)),
        "tick, slowest [ms]": float(tick.max()), "late ticks": told.late,
        "largest violation left": _largest(told.ticks[:, 4]),
        "solves": ", ".join(f"{name} ({n})" for name, n in told.statuses.items()),
        "least distance to an obstacle, take-off and landing included [m]": _least(told.clearance[:, 1]),
    }  # fmt: skip


def _least(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else None


def _largest(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else None


def _bag(bag: Path, told: Recorded) -> str:
    values = {"bag": bag.name, "seconds": round(told.seconds, 1), "MiB": round(told.size / 1024**2, 2)}
    values |= {name: told.notes[name] for name in _NOTES if name in told.notes}
    rows = [(name, kind, n, round(n / max(told.seconds, 1e-9), 1)) for name, kind, n in told.topics]
    listed = html.table(("topic", "type", "messages", "a second"), rows)
    config = html.preformatted(told.notes.get("config", ""))
    return html.facts(values) + html.folded("topics", listed) + html.folded("parameter files", config)


def _card(policy: str, task: str) -> str:
    try:
        file = find_bundle(policy, task or None) / "README.md"
        return html.markdown(file.read_text())
    except (DeqmpcError, OSError):
        return html.paragraph(f"'{policy}' has no bundle here, so no card", "note") if policy else ""
