"""deqmpc expert eval: the task's expert in the batch environment."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from deqmpc_train.verbs import eval as eval_verb


@dataclass(frozen=True)
class Eval:
    """Fly the expert from seeded starts. episodes, seed: the starts. json: a file for the figures."""

    task: str = "crazyflie"
    episodes: int = 200
    seed: int = 0
    json: Path | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    command = tyro.extras.subcommand_cli_from_dict({"eval": Eval}, args=argv, prog="deqmpc expert")
    options = ["--task", command.task, "--episodes", str(command.episodes), "--seed", str(command.seed)]
    if command.json is not None:
        options += ["--json", str(command.json)]
    return eval_verb.main(["expert", *options])
