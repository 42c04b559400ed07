"""What `deqmpc data generate` is to record."""

from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import Task

_FIRST_SEED = 1_000_000  # data seeds lie beyond those of evaluations
_PAPER = {"pendulum": 300, "cartpole": 300, "crazyflie": 1000}
_PAPER_ELSE = 2000
_SPREAD = {"cartpole": 3000, "crazyflie": 4000, "qpole": 8000, "qpole_obs": 8000, "qpole_dyn_obs": 8000}
_SHORT = {"crazyflie": 60}  # steps; the others fly the task's
_LEAST = {"episodes": 0, "spread_episodes": 0, "steps": 1, "spread_steps": 1, "seed": 0, "iterations": 1}


@dataclass(frozen=True)
class DataConfig:
    """What to record: flights from the task's starts and shorter ones from states met in mid-flight.

    episodes, steps, spread_episodes: how many of each and how long; None: the paper's size (for the crazyflie
    1000 of 60 steps and 4000 spread ones; for the cartpole 3000 spread ones and for the quadrotor's pole
    8000, since most of a flight is the pole at rest). seed: of the starts, which are never those of an
    evaluation. policy: the pilot, by path, name or variant. iterations: its rounds when warm. option:
    NAME=VALUE, changes the task.
    """

    task: str = "crazyflie"
    episodes: int | None = None
    steps: int | None = None
    spread_episodes: int | None = None
    spread_steps: int = 20
    seed: int = 0
    policy: Annotated[str, tyro.conf.arg(aliases=["--expert"])] = "expert"
    iterations: int = 1
    option: tuple[str, ...] = ()

    def complete(self, task: Task) -> "Recipe":
        """With every number filled in; ConfigError for those that make no data set."""
        name = self.task
        given = {
            "episodes": _PAPER.get(name, _PAPER_ELSE) if self.episodes is None else self.episodes,
            "steps": _SHORT.get(name, task.episode_steps) if self.steps is None else self.steps,
            "spread_episodes": _SPREAD.get(name, 0) if self.spread_episodes is None else self.spread_episodes,
        }
        full = replace(self, **given)
        for key, least in _LEAST.items():
            if getattr(full, key) < least:
                raise ConfigError(f"{key}: expected at least {least}, got {getattr(full, key)}")
        if not sum((given["episodes"], given["spread_episodes"])):
            raise ConfigError("episodes: expected at least 1, got 0")
        return Recipe(full, given["episodes"], given["steps"], given["spread_episodes"])


@dataclass(frozen=True)
class Recipe:
    """A configuration without gaps: episodes numbered from 0, the spread ones after the others."""

    config: DataConfig
    episodes: int
    steps: int
    spread_episodes: int

    @property
    def total(self) -> int:
        """Episodes asked for."""
        return self.episodes + self.spread_episodes

    @property
    def seed(self) -> int:
        """Seed of the starts."""
        return _FIRST_SEED + self.config.seed

    def order(self, numbers: list[int]) -> list[int]:
        """Indices of `numbers` such that both kinds are spread evenly: a held-out last tenth then holds
        both."""

        def rank(index: int) -> tuple[float, bool]:
            number = numbers[index]
            if number < self.episodes:
                return number / max(self.episodes, 1), False
            return (number - self.episodes) / max(self.spread_episodes, 1), True

        return sorted(range(len(numbers)), key=rank)
