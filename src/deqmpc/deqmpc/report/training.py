"""The report of a training: `runs/train/<name>/` of `deqmpc train`, finished or under way."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from deqmpc.report import html
from deqmpc_core.errors import DataError
from deqmpc_core.files import read_json

Array = NDArray[np.float64]
Curves = Mapping[str, Array]
"""By name, rows (step, value)."""
LOGS, CONFIG = "tensorboard", "config.json"
FIGURES = {  # title: prefixes of the curves in it, and whether the axis is logarithmic
    "loss (Eq. 13)": (("loss/",), True),
    "held-out L1 error per knot": (("validation/",), True),
    "held-out error by round, cold": (("validation_by_round/",), True),
    "training loss by round": (("loss_by_round/",), True),
    "residual of the network's equilibrium by round": (("residual/",), True),
    "largest violation left, by round": (("violation/",), True),
    "gradient's norm before clipping": (("gradient_norm",), True),
    "learning rate": (("rate",), False),
    "share of solves by how they ended": (("solver_",), False),
}
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")


def is_training(run: Path) -> bool:
    """Whether the folder holds what this report tells of."""
    return (run / LOGS).is_dir() and (run / CONFIG).is_file()


def training_report(run: Path) -> str:
    """The page. Raises DataError where nothing was logged."""
    config, curves = read_json(run / CONFIG), read_curves(run / LOGS)
    policy: dict[str, Any] = config.get("policy", {})
    name = f"{policy.get('task', '?')}-{policy.get('variant', '?')}"
    drawn = [
        html.drawing(_figure(title, chosen, log), title)
        for title, (prefixes, log) in FIGURES.items()
        if (chosen := {k: v for k, v in curves.items() if k.startswith(prefixes)})
    ]
    return html.page(
        f"Training of {name}",
        [
            html.section("Summary", html.facts(_summary(run, config, curves))),
            html.section("Validation", _validation(curves)),
            html.section("Curves", *drawn),
            html.section("Learning rates tried", _tried(run / "tune")),
            html.section("Configuration", html.facts({**_flat(config), **_flat(policy, "policy.")})),
        ],
    )


def read_curves(folder: Path) -> dict[str, Array]:
    """Every scalar of TensorBoard's files: rows (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0})
    events.Reload()
    tags: Sequence[str] = events.Tags()[SCALARS]
    if not tags:
        raise DataError(f"'{folder}' holds no figures yet; a run logs every tenth step")
    return {tag: np.array([(e.step, e.value) for e in events.Scalars(tag)], dtype=float) for tag in tags}


def _summary(run: Path, config: dict[str, Any], curves: Curves) -> dict[str, Any]:
    loss, rate = (curves.get(name, np.zeros((0, 2))) for name in ("loss/eq13", "steps_per_second"))
    done = int(max((rows[-1, 0] for rows in curves.values()), default=0))
    cold, streamed = (curves.get(f"validation/{name}") for name in ("cold", "streamed"))
    best = None
    if cold is not None and streamed is not None and len(cold) == len(streamed):
        best = float((0.5 * (cold[:, 1] + streamed[:, 1])).min())
    return {
        "steps": f"{done} of {config.get('steps', '?')}",
        "last loss": float(loss[-1, 1]) if len(loss) else None,
        "best held-out L1 error (mean of cold and streamed)": best,
        "steps a second, median": float(np.median(rate[:, 1])) if len(rate) else None,
        "folder": run.name,
    }


def _validation(curves: Curves) -> str:
    cold, streamed = (curves.get(f"validation/{name}", np.zeros((0, 2))) for name in ("cold", "streamed"))
    known = dict(streamed.tolist())
    rows = [(int(step), value, known.get(step)) for step, value in cold.tolist()]
    return html.table(("step", "held-out L1, cold", "held-out L1, streamed"), rows)


def _tried(folder: Path) -> str:
    """The last held-out errors of the short runs of `--tune`."""
    rows = []
    for logs in sorted(folder.glob(f"*/{LOGS}")):
        curves = read_curves(logs)
        ends = [float(curves[k][-1, 1]) for k in ("validation/cold", "validation/streamed") if k in curves]
        if ends:
            rows.append((logs.parent.name, float(np.mean(ends))))
    return html.table(("run", "held-out L1 error"), rows)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{key}": str(value) for key, value in values.items() if not isinstance(value, dict)}


def _figure(title: str, curves: Curves, log: bool) -> Figure:
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    for index, (name, rows) in enumerate(sorted(curves.items())):
        colour, style = _COLOURS[index % len(_COLOURS)], "-" if index < len(_COLOURS) else "--"
        axes.plot(rows[:, 0], rows[:, 1], color=colour, linestyle=style, linewidth=1.2,
                  label=name.partition("/")[2] or name)  # fmt: skip
    if log and any((rows[:, 1] > 0.0).any() for rows in curves.values()):
        axes.set_yscale("log")
    axes.set(title=title, xlabel="step")
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend(fontsize="x-small", ncols=4)
    return figure
