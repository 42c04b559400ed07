"""The jobs that figures are made of. One training serves every figure that asks for the same."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from deqmpc_core.tasks import load_task
from deqmpc_train.config import Overrides
from deqmpc_train.data import DataConfig, read_info
from deqmpc_train.data.generation import policy_hash
from deqmpc_train.eval.expert import task_digest
from deqmpc_train.paper.scale import Scale
from deqmpc_train.sweep import Job, Resources
from deqmpc_train.sweep.job import canonical
from deqmpc_train.tuned import Budget, tuned

_MAKE, _JUDGE = "deqmpc_train.paper.make", "deqmpc_train.paper.judge"
_OF_DATA = ("obstacle_radius", "obstacle_speed", "layout")  # task options that change how an expert flies
_EXACT = {"tolerance": 1e-4, "evaluations": 50}  # of the equilibrium network's search
_NONE: Mapping[str, Any] = {}
NO_OVERRIDES = Overrides()


@dataclass(frozen=True)
class Plan:
    """What a figure's jobs are made with: sizes, a folder that has one data set a task (those it lacks are
    generated), and where trainings run."""

    scale: Scale
    data: Path | None = None
    device: str = "cpu"
    gpus: float = 0.0

    def data_set(self, task: str, options: Mapping[str, Any] = _NONE) -> Job:
        """The given data set of a task, whatever its options, else one flown by the expert amid the same
        spheres; its config has every number, so that new defaults make another one."""
        given = None if self.data is None else self.data / task
        if given is not None and (given / "info.json").is_file():
            config = {"task": task, "sha256": _files_hash(given)}
            return Job(f"data {task}", f"{_MAKE}:given", config, hints={"from": str(given.resolve())}, work=2)
        scale, kept = self.scale, {k: v for k, v in options.items() if k in _OF_DATA}
        words = tuple(f"{name}={value}" for name, value in sorted(kept.items()))
        small = scale.data_episodes is not None
        asked = DataConfig(
            task, scale.data_episodes, scale.data_steps, spread_episodes=0 if small else None, option=words
        )
        full = asked.complete(load_task(task, **kept)).config
        config = {**asdict(full), **_who(task, kept)}
        return Job(_name("data", task, kept), f"{_MAKE}:data", config, work=5 if small else 1000)

    def part_of(self, data: Job, share: float) -> Job:
        """A data set of the first `share` of another's training episodes; its held-out tenth stays unseen."""
        if share == 1.0:
            return data
        return Job(f"{data.name} {share:g}", f"{_MAKE}:part", {"share": share}, {"data": data}, work=2)

    def rate(self, task: str, variant: str) -> Job:
        """The learning rate of a task and variant: chosen once, on split 0; all splits and figures use it."""
        config = self._config(task, variant, NO_OVERRIDES, {})
        config["grid"] = list(self.scale.grid)
        return Job(
            f"rate {task} {variant}", f"{_MAKE}:rate", config, {"data": self.data_set(task)},
            resources=self._resources(), work=0.3 * _work(config),
        )  # fmt: skip

    def training(
        self, task: str, variant: str, split: int = 0, overrides: Overrides = NO_OVERRIDES,
        options: Mapping[str, Any] = _NONE, data: Job | None = None,
    ) -> Job:  # fmt: skip
        """A policy as `deqmpc compare` trains it: another split has another seed too."""
        config = self._config(task, variant, replace(overrides, split=split, seed=split), options)
        changed = {k: v for k, v in asdict(overrides).items() if v is not None} | dict(options)
        label = _name(f"{task} {variant}" + (f" split {split}" if split else ""), "", changed)
        needs = {"data": data or self.data_set(task, options), "rate": self.rate(task, variant)}
        return Job(
            f"train {label}", f"{_MAKE}:train", config, needs, resources=self._resources(),
            work=_work(config),
        )  # fmt: skip

    def expert(self, task: str, options: Mapping[str, Any] = _NONE) -> Job:
        """The expert's returns from the starts of an evaluation."""
        return Job(
            _name("expert", task, dict(options)), f"{_JUDGE}:expert", self._starts(task, options), work=5
        )

    def flight(self, training: Job, iterations: int = 1, cold: bool = False) -> Job:
        """A policy's returns from the same starts."""
        task, options = _task_of(training)
        config = {**self._starts(task, options), "iterations": iterations, "cold": cold}
        needs = {"training": training, "expert": self.expert(task, options)}
        how = "cold" if cold else f"{iterations} a tick"
        return Job(
            training.name.replace("train", "fly", 1) + f", {how}", f"{_JUDGE}:flight", config, needs, work=3
        )

    def errors(self, training: Job, data: Job | None = None) -> Job:
        """A policy's errors on the held-out tenth, of its own data set or of another."""
        needs = {"training": training, "data": data or training.needs["data"]}
        name = training.name.replace("train", "errors", 1)
        return Job(name, f"{_JUDGE}:errors", {"windows": self.scale.windows}, needs, work=2)

    def residuals(self, training: Job) -> Job:
        """Residuals by round on the held-out tenth (A.2), with the network's fixed points solved so far
        that they can be below what is claimed of them."""
        needs = {"training": training, "data": training.needs["data"]}
        name = training.name.replace("train", "residuals", 1)
        return Job(name, f"{_JUDGE}:residuals", {"states": self.scale.windows, **_EXACT}, needs, work=2)

    def times(self, trainings: Mapping[str, Job]) -> Job:
        """Milliseconds a step of policies by name, in turns, on a machine that does nothing else."""
        config, name = {"repeats": self.scale.repeats}, "time " + ", ".join(trainings)
        quiet = Resources(cores=0)
        return Job(name, f"{_JUDGE}:times", config, trainings, resources=quiet, work=2.0 * len(trainings))

    def simulation(self, training: Job, block: int) -> Job:
        """Flights of the simulated Crazyflie stack, those of one seed."""
        name = training.name.replace("train", "sim", 1) + f" block {block}"
        return self._simulation(name, block, {"training": training})

    def piloted(self, task: str, pilot: str, block: int) -> Job:
        """The same flown by a policy that needs no training."""
        return self._simulation(f"sim {task} {pilot} block {block}", block, {}, {"pilot": pilot})

    def _simulation(
        self, name: str, block: int, needs: Mapping[str, Job], more: Mapping[str, str] = _NONE
    ) -> Job:
        scale, task = self.scale, "crazyflie"
        starts = {
            "task": task, "options": {}, "episodes": min(scale.block, scale.flights), "seed": block,
            "steps": scale.flight_steps, **_who(task, {}),
        }  # fmt: skip
        expert = Job(f"expert {task} block {block}", f"{_JUDGE}:expert", starts, work=5)
        config, needs = starts | dict(more), {**needs, "expert": expert}
        return Job(name, f"{_JUDGE}:simulation", config, needs, work=5.0 * starts["episodes"])

    def _config(
        self, task: str, variant: str, overrides: Overrides, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A training's options, its learning rate apart."""
        given = {k: v for k, v in asdict(self.scale.overrides).items() if v is not None}
        asked = {k: v for k, v in asdict(overrides).items() if v is not None}
        chosen = Overrides(**(given | asked))
        config = json.loads(_tuned(task, variant, self.scale.budget, chosen, canonical(options)))
        del config["learning_rate"]
        numbers = {"task_sha256": _numbers(task, canonical(options))}
        return {"train": config, **numbers} | ({} if self.device == "cpu" else {"device": self.device})

    def _starts(self, task: str, options: Mapping[str, Any]) -> dict[str, Any]:
        scale = self.scale
        return {
            "task": task, "options": dict(options), "episodes": scale.episodes, "steps": scale.steps,
            "seed": 0, **_who(task, options),
        }  # fmt: skip

    def _resources(self) -> Resources:
        return Resources(1, 2.0, self.gpus)


@lru_cache(maxsize=4096)  # figures ask for the same again and again
def _tuned(task: str, variant: str, budget: Budget, overrides: Overrides, options: str) -> str:
    return json.dumps(tuned(task, variant, budget, overrides, json.loads(options)).to_json())


def _who(task: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The numbers of a task, and its expert."""
    words = canonical(options)
    return {"task_sha256": _numbers(task, words), "policy_sha256": _expert_hash(task, words)}


@lru_cache(maxsize=256)
def _expert_hash(task: str, options: str) -> str:
    return policy_hash("expert", load_task(task, **json.loads(options)))


@lru_cache(maxsize=256)
def _numbers(task: str, options: str) -> str:
    return task_digest(load_task(task, **json.loads(options)))


def _task_of(training: Job) -> tuple[str, dict[str, Any]]:
    """Of a training: its task, and the options that a flight has too. The MPC's own (weights) are in the
    policy; limits and spheres are also the world's."""
    policy = training.config["train"]["policy"]
    return policy["task"], dict(policy["task_options"])


def _work(config: Mapping[str, Any]) -> float:
    """About the seconds of a training."""
    train = config["train"]
    width = max(train["policy"]["hidden"] / 64.0, 0.5)
    return 3.0 + 0.004 * train["steps"] * train["batch"] * width


def _name(what: str, task: str, options: Mapping[str, Any]) -> str:
    words = (f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in sorted(options.items()))
    return " ".join(filter(None, (what, task, *words)))


_known: dict[tuple[str, float], str] = {}


def _files_hash(place: Path) -> str:
    """SHA-256 over a data set's files, but for what says on which machine it was made."""
    newest = max(file.stat().st_mtime for file in place.iterdir())
    key = (str(place.resolve()), newest)
    if key not in _known:
        found = hashlib.sha256()
        for file in sorted(place.glob("*.parquet")):
            found.update(file.name.encode() + file.read_bytes())
        told = {k: v for k, v in read_info(place).items() if k != "versions"}
        found.update(repr(sorted(told.items())).encode())
        _known[key] = found.hexdigest()
    return _known[key]
