"""What `deqmpc compare` has trained, taken over as results: the same configuration, on the same data."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from deqmpc_core.bundle import replace_directory
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.files import read_json, write_json, write_text
from deqmpc_train.config import TrainConfig, same_but
from deqmpc_train.data import read_info
from deqmpc_train.paper.make import CURVE, DATA, POLICY, config_of
from deqmpc_train.sweep import Job, Store, closure
from deqmpc_train.sweep.store import CLOCK, JOB, RESULT

_FREE = {"learning_rate"}
_DATA = ("episodes", "seed", "start_seed", "expert", "dt", "policy_sha256", "task_options")
"""What a bundle tells of its data set; older ones tell less."""


class Bundle(NamedTuple):
    """A policy that compare left: its folder, what it tells of its training, its configuration."""

    place: Path
    told: dict[str, Any]
    config: TrainConfig

    @property
    def run_dir(self) -> Path:
        """Where compare has its logs."""
        return self.place.parents[1] / "train" / self.place.name

    def choice(self) -> dict[str, Any]:
        """The learning rate, as a job tells it."""
        return {k: self.told["learning_rates"][k] for k in ("rate", "errors", "steps")}


def bundles(places: Iterable[Path]) -> list[Bundle]:
    """Of folders made by `deqmpc compare`: every finished policy with the learning rates it chose from."""
    found = []
    for file in sorted(f for place in places for f in place.glob("models/*/eval.json")):
        try:
            told = read_json(file)["training"]
            found.append(Bundle(file.parent, told, TrainConfig.from_json(told["config"])))
        except (DeqmpcError, KeyError, TypeError):
            continue  # no bundle of a training
    return [b for b in found if "learning_rates" in b.told and (b.place / "policy.json").is_file()]


def take_over(jobs: Iterable[Job], store: Store, places: Iterable[Path]) -> list[str]:
    """Give learning rates and trainings that have no result those of bundles that were made alike; names of
    the jobs. Their data sets must be in the store already: run those jobs first."""
    known, taken = bundles(places), []
    for job in closure(jobs).values():
        if job.kind not in ("rate", "train") or store.done(job) or not store.done(job.needs["data"]):
            continue
        for bundle in known:
            if _same(job, bundle, store):
                _take(job, bundle, store)
                taken.append(job.name)
                break
    return taken


def _same(job: Job, bundle: Bundle, store: Store) -> bool:
    """Equal but for the learning rate; that one chosen on split 0 from the same grid on the same data."""
    config = config_of(job.config["train"])
    if "device" in job.config or set(same_but(config, bundle.config)) - _FREE:
        return False
    info = read_info(store.place(job.needs["data"]) / DATA)
    told = bundle.told["data"]
    if any(told[k] != info.get(k) for k in _DATA if k in told):
        return False
    if job.kind == "rate":
        return set(bundle.choice()["errors"]) == {f"{rate:g}" for rate in job.config["grid"]}
    rate = job.needs["rate"]
    return store.done(rate) and store.result(rate)["rate"] == bundle.config.learning_rate


def _take(job: Job, bundle: Bundle, store: Store) -> None:
    part = store.part(job)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    seconds = float(bundle.told["seconds"])
    if job.kind == "rate":  # compare keeps the clock of the whole run alone: so many steps of it
        result, share = bundle.choice(), bundle.told["learning_rates"]["steps"] / bundle.told["steps"]
        seconds *= share * len(bundle.choice()["errors"])
    else:
        shutil.copytree(bundle.place, part / POLICY)
        curve = _curve(bundle)
        write_json(part / CURVE, curve)
        result = {
            "validation_error": bundle.told["validation_error"], "stopped": None, "curve": curve,
            "steps": bundle.told["steps"], "learning_rate": bundle.config.learning_rate,
            "from": f"deqmpc compare, {bundle.place.name}",
        }  # fmt: skip
    write_json(part / JOB, {"name": job.name, **json.loads(job.described())})
    write_json(part / CLOCK, {"cpu_seconds": seconds, "wall_seconds": seconds})
    write_text(part / RESULT, json.dumps(result, indent=1, sort_keys=True) + "\n")
    replace_directory(part, store.place(job))


def _curve(bundle: Bundle) -> list[dict[str, Any]]:
    """The validation curve, from what the run logged; empty where the log is gone."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    place = bundle.run_dir / "tensorboard"
    if not place.is_dir():
        return []
    log = EventAccumulator(str(place), size_guidance={"scalars": 0})
    log.Reload()
    try:
        rows = [log.Scalars(f"validation/{part}") for part in ("cold", "streamed")]
    except KeyError:
        return []
    return [
        {"step": c.step, "error": 0.5 * (c.value + w.value), "cold": c.value, "warm": w.value}
        for c, w in zip(*rows, strict=True)
    ]
