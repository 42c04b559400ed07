"""The README's results table, made from the committed bundles' eval.json."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deqmpc_core.errors import ConfigError
from deqmpc_core.files import read_json
from deqmpc_core.policies import LEARNED
from deqmpc_core.tasks import task_names
from deqmpc_train.eval.report import share, table

PART = "results"
"""Its name in the page, see deqmpc_core.pages."""

HEAD = (
    "task", "policy", "of the expert's return", "return", "failures", "success", "L1 held out", "ms a step",
)  # fmt: skip


def bundles(models: Path) -> list[Path]:
    """Every learned policy's bundle under a folder, by task and variant."""
    found = [p.parent for p in models.glob("*/policy.json")]
    configs = {place: read_json(place / "policy.json") for place in found}
    learned = [p for p in found if configs[p]["variant"] in LEARNED]

    def order(place: Path) -> tuple[int, int, str]:
        config = configs[place]
        tasks = task_names()
        task = tasks.index(config["task"]) if config["task"] in tasks else len(tasks)
        return task, LEARNED.index(config["variant"]), place.name

    return sorted(learned, key=order)


def results_table(models: Path) -> str:
    """Markdown: a row for each way a learned policy was evaluated, a plain one where it was not.

    Raises ConfigError where there is no bundle or an eval.json that cannot be read.
    """
    rows = [row for place in bundles(models) for row in _rows(place)]
    if not rows:
        raise ConfigError(f"no learned policy under '{models}'; give the folder of the bundles by --models")
    return "\n".join(table(HEAD, rows)) + "\n"


def _rows(place: Path) -> Iterable[list[str]]:
    config, found = read_json(place / "policy.json"), read_json(place / "eval.json")
    evaluations: list[dict[str, Any]] = found.get("evaluation", [])
    if not evaluations:
        error = found.get("training", {}).get("validation_error")
        yield [config["task"], place.name, "", "", "", "", _number(error), ""]
    for told in evaluations:
        yield [told["task"], _name(place, told), *figures(told)]


def _name(place: Path, told: dict[str, Any]) -> str:
    if told["cold"]:
        return f"{place.name}, cold"
    return place.name if told["iterations"] == 1 else f"{place.name}, {told['iterations']} rounds"


def figures(told: dict[str, Any]) -> list[str]:
    """A row's cells of an evaluation, those under HEAD from the third on."""
    interval = told["normalised_interval"]
    return [
        share(told["normalised_return"], None if interval is None else (interval[0], interval[1])),
        f"{told['return_mean']:.1f}", f"{told['failure_rate']:.1%}", f"{told['success_rate']:.1%}",
        _number(told["validation_error"]), f"{told['ms_per_step']:.2f}",
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
