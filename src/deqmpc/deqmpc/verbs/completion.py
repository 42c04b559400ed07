"""`deqmpc completion SHELL`: prints the script that completes verbs and options."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from rich.console import Console

from deqmpc.completion import script


@dataclass(frozen=True)
class Completion:
    """Print the script that completes verbs, options and files.

    bash: deqmpc completion bash > ~/.local/share/bash-completion/completions/deqmpc
    zsh: deqmpc completion zsh > ~/.zfunc/_deqmpc (with fpath+=~/.zfunc before compinit)
    fish: deqmpc completion fish > ~/.config/fish/completions/deqmpc.fish
    """

    shell: Annotated[Literal["bash", "zsh", "fish"], tyro.conf.Positional]


OPTIONS = Completion


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    options = tyro.cli(Completion, args=arguments, prog="deqmpc completion")
    with Console(stderr=True).status("reading the options of every verb"):
        text = script(options.shell)
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
