"""The parameters of a run's nodes: the YAML of the repository first, what this run changes second."""

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from deqmpc.session.provenance import origin
from deqmpc_policy_node.topics import COMMANDER_NODE, POLICY_NODE, RECORDER_NODE

Config = TypeVar("Config")
SIMULATOR_NODE = "crazyflie_server"
VIEW_NODE = "deqmpc_view"
CONFIG = "sim.yaml"
COLD_TIMEOUT = 120.0
"""s of wall time that a robot other than the drone waits in lock-step: an expert's first search is long."""
COMMANDER_RATE, FASTEST = 50.0, 100.0
"""Hz; plans that come faster than the commander's own rate need a faster one."""


@dataclass(frozen=True)
class RunSettings:
    """What a run is about. steps: policy periods of the task an episode; period [s]: theirs; rate: plans a
    second, 0: one a period; plant: a robot other than the drone, which has no commander; view: the page's
    port, 0: none."""

    policy: str
    task: str
    seed: int
    episodes: int
    speed: str
    steps: int
    period: float
    record: bool
    faults: tuple[str, ...]
    robot: str = "cf1"
    rate: float = 0.0
    plant: bool = False
    view: int = 0

    @property
    def plan_period(self) -> float:
        """Seconds between plans."""
        return 1.0 / self.rate if self.rate else self.period

    @property
    def plans(self) -> int:
        """Plans an episode."""
        return round(self.steps * self.period / self.plan_period)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Processes of the run, in the order of their start."""
        commander = () if self.plant else ("commander",)
        optional = (*(("recorder",) if self.record else ()), *(("view",) if self.view else ()))
        return ("simulator", "policy", *commander, *optional)

    @property
    def lock_step(self) -> bool:
        """True when simulated time waits for the commander."""
        return self.speed == "max"


def new_run_directory(parent: Path) -> Path:
    """runs/<UTC time>, with a number where a run of the same second exists."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{k}" for k in range(2, 100))):
        directory = parent / f"{stamp}{suffix}"
        try:
            directory.mkdir(parents=True)
            return directory
        except FileExistsError:
            continue
    raise FileExistsError(f"{parent / stamp}: a hundred runs in one second")


def shipped_config() -> list[Path]:
    """config/sim.yaml of the installed package or of the repository, if there is one."""
    here = Path(__file__).resolve()
    places = [parent / "config" / CONFIG for parent in here.parents[1:6]]
    places += [parent / "share" / "deqmpc" / "config" / CONFIG for parent in here.parents]
    return [path for path in places if path.is_file()][:1]


def section(files: list[Path], node: str) -> dict[str, Any]:
    """What the files set for a node; later files win, as with --params-file."""
    values: dict[str, Any] = {}
    for file in files:
        content = yaml.safe_load(file.read_text()) or {}
        values |= content.get(node, {}).get("ros__parameters", {})
    return values


def configured(config: type[Config], files: list[Path], node: str) -> Config:
    """The dataclass as the node will have it from these files, for flights that run in this process."""
    values = section(files, node)
    known = [spec.name for spec in fields(cast(Any, config)) if spec.name in values]
    return config(**{name: tuple(v) if isinstance(v := values[name], list) else v for name in known})


def write_parameters(settings: RunSettings, directory: Path) -> Path:
    """The run's own parameter file."""
    clock = {"use_sim_time": settings.lock_step}
    nodes: dict[str, dict[str, Any]] = {
        SIMULATOR_NODE: {
            "task": settings.task,
            "seed": settings.seed,
            "speed": settings.speed,
            "policy_steps": settings.steps,
            "autostart": False,
        },
        POLICY_NODE: {
            "policy": settings.policy,
            "task": settings.task,
            "rate": 1.0 / settings.plan_period,
            **clock,
        },
        COMMANDER_NODE: clock,
        RECORDER_NODE: {
            "directory": str(directory / "bag"),
            "provenance": json.dumps(provenance(settings)),
        },
    }
    if settings.view:
        nodes[POLICY_NODE]["tell_rounds"] = True
        nodes[VIEW_NODE] = {"task": settings.task, "policy": settings.policy, "port": settings.view}
    if settings.plant:
        nodes[SIMULATOR_NODE]["step_timeout"] = COLD_TIMEOUT
    if settings.rate > COMMANDER_RATE:
        nodes[COMMANDER_NODE] = {**clock, "rate": FASTEST}
        nodes[SIMULATOR_NODE]["rate"] = FASTEST
    path = directory / "parameters.yaml"
    path.write_text(yaml.safe_dump({name: {"ros__parameters": values} for name, values in nodes.items()}))
    return path


def provenance(settings: RunSettings) -> dict[str, str]:
    """What the bag's custom_data says about its origin."""
    return {
        **origin(settings.policy, settings.task, shipped_config()),
        "seed": str(settings.seed),
        "episodes": str(settings.episodes),
        "speed": settings.speed,
        "faults": ",".join(settings.faults),
    }
