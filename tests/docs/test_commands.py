"""Every command in the pages is one that exists: shell syntax, verbs, options, targets, files and messages.

Verbs of `deqmpc` are parsed by the command's own parser and go no further. What needs a robot, another
machine or the network is declared in NOT_TRIED with the reason.
"""

import ast
import importlib
import importlib.util
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tyro
import yaml

from deqmpc.cli import main, verbs
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.policies import VARIANTS
from deqmpc_core.tasks import task_names
from tests.docs.pages import ROOT, SHELL, Block, blocks, inline, pages

NOT_TRIED = {  # how a command begins: why nothing but its syntax is tried
    "sudo": "changes the machine",
    "source": "needs a full ROS 2",
    "tensorboard": "serves until it is stopped",
    "export": "the shell's own",
    "for": "the shell's own",
    "done": "the shell's own",
    "ros2 topic hz": "listens to a robot",
    "ros2 topic echo": "listens to a robot",
    "ros2 topic info": "listens to a robot",
    "ros2 lifecycle": "speaks to a running node",
    "ros2 param": "speaks to a running node",
    "ros2 security": "needs sros2, which the wheels do not have",
}


class _Parsed(Exception):
    """The parser has accepted the words."""


def lines(block: Block) -> Iterator[str]:
    """The commands of a block, continued lines joined, comments and what is optional taken out."""
    for line in re.sub(r"\\\n\s*", " ", block.text).splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            yield re.sub(r"[\[\]]", "", line) if line.startswith("deqmpc") else line


COMMANDS = [
    pytest.param(line, id=f"{block.place} {line[:40]}")
    for page in pages() for block in blocks(page) if block.language in SHELL for line in lines(block)
]  # fmt: skip


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_shell_reads_the_blocks(page: Path) -> None:
    for block in blocks(page):
        if block.language in SHELL:
            done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True)
            assert done.returncode == 0, f"{block.place}: {done.stderr}"


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_exists(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if any(f"{line} ".startswith(f"{begin} ") for begin in NOT_TRIED):
        return
    for part in re.split(r"\s*(?:&&|\|)\s*", line):
        words = shlex.split(re.sub(r"\s>>?\s*\S+", "", part))
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # variables of this command alone
            words = words[1:]
        name = Path(words[0]).name
        assert name in TRIED, f"'{name}': say in NOT_TRIED why it is not tried, or how to in TRIED"
        TRIED[name](words[1:], monkeypatch)


BUNDLE = re.compile(rf"(?<![\w/-])(?:{'|'.join(task_names())})-(?:{'|'.join(VARIANTS)})(?![\w-])")


def test_policies_that_commands_name_are_there() -> None:
    for line in (str(p.values[0]) for p in COMMANDS):
        for name in BUNDLE.findall(line):
            assert (ROOT / "models" / name / "policy.json").is_file(), f"no policy '{name}': {line}"


def test_what_is_not_tried_is_still_in_the_pages() -> None:
    told = [str(p.values[0]) for p in COMMANDS]
    unused = [b for b in NOT_TRIED if not any(f"{line} ".startswith(f"{b} ") for line in told)]
    assert not unused, f"take out of NOT_TRIED: {unused}"


def accept(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verb's own parser read the words, and stop there."""
    assert words[0] in verbs(), f"no verb '{words[0]}'"

    def parser_then_stop(parse: Any) -> Any:
        def parsed(*arguments: Any, **options: Any) -> Any:
            parse(*arguments, **options)
            raise _Parsed

        return parsed

    with monkeypatch.context() as patch:
        patch.setattr(tyro, "cli", parser_then_stop(tyro.cli))
        patch.setattr(
            tyro.extras, "subcommand_cli_from_dict", parser_then_stop(tyro.extras.subcommand_cli_from_dict)
        )
        try:
            main(words)
        except _Parsed:
            return
        except SystemExit as end:
            assert end.code in (0, None), f"the parser refuses: deqmpc {shlex.join(words)}"
        except DeqmpcError as error:
            pytest.fail(f"deqmpc {shlex.join(words)}: {error}")


def make(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = [w for w in words if "=" not in w]
    assert asked and set(asked) <= set(targets), f"make has no target {set(asked) - set(targets)}"
    for word in words:
        if word.startswith("ARGS=") and asked == ["sim"]:
            accept(["sim", *shlex.split(word.removeprefix("ARGS="))], monkeypatch)
        if word.startswith("N="):
            assert list((ROOT / "tests/acceptance").glob(f"test_issue_{word[2:]}*.py")), word


def python(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None, f"no module '{words[1]}'"
    elif words[0] == "-c":
        compile(words[1], "-c", "exec")
    else:
        assert (ROOT / words[0]).is_file(), f"no program '{words[0]}'"


def pip(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert words[0] == "install"
    for before, word in zip(("", *words), words, strict=False):
        if word.startswith("./") or before == "-r":
            assert (ROOT / word).exists(), f"no '{word}' to install"


def torchrun(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = words[list(words).index("-m") + 1]
    assert importlib.util.find_spec(module) is not None, f"no module '{module}'"


def ros2(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    if words[:2] == ["launch", "deqmpc"]:
        assert {w.partition(":=")[0] for w in words[3:]} <= launch_arguments(words[2]), words
    elif words[:2] in (["service", "call"], ["topic", "pub"]):
        at = next(k for k, word in enumerate(words) if re.search("/(msg|srv)/", word))
        message(words[at], "".join(words[at + 1 : at + 2]))
    else:
        pytest.fail(f"'ros2 {words[0]}': say in NOT_TRIED why it is not tried")


def launch_arguments(name: str) -> set[str]:
    """What a launch file's text declares, and what bringup declares for all."""
    texts = [(ROOT / "launch" / name).read_text(), (ROOT / "src/deqmpc/deqmpc/bringup.py").read_text()]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def message(kind: str, filling: str) -> None:
    """The type exists and has the fields that are given; nothing is tried where messages are not built."""
    if importlib.util.find_spec(kind.partition("/")[0]) is not None:
        found = interface(kind)
        fill(found.Request if "/srv/" in kind else found, yaml.safe_load(filling or "{}"))


def interface(kind: str) -> Any:
    """The class of a message `geometry_msgs/msg/Point`, or `geometry_msgs/Point` as fields name it."""
    parts = kind.split("/")
    module = importlib.import_module(f"{parts[0]}.{parts[1] if len(parts) == 3 else 'msg'}")
    return getattr(module, parts[-1])


def fill(kind: Any, values: dict[str, Any]) -> None:
    """Every key is a field of the message, also in the messages it holds."""
    fields = kind.get_fields_and_field_types()
    for name, value in values.items():
        assert name in fields, f"{kind.__name__} has no field '{name}'"
        inner = fields[name].removeprefix("sequence<").removesuffix(">")
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                fill(interface(inner), part)


TRIED = {
    "deqmpc": accept, "make": make, "python": python, "python3": python, "pip": pip, "torchrun": torchrun,
    "ros2": ros2,
}  # fmt: skip


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_verbs_named_in_the_text_exist(page: Path) -> None:
    for line, span in inline(page, "code_inline"):
        words = span.split()
        if len(words) > 1 and words[0] == "deqmpc" and words[1].isalpha() and words[1].islower():
            assert words[1] in verbs(), f"{page.name}:{line}: no verb '{words[1]}'"
        if len(words) > 1 and words[0] == "make" and words[1].isalpha():
            make(words[1:2], pytest.MonkeyPatch())
