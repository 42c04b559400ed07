"""The command's manners: help that fits a screen, hints, statuses, interrupts, completion."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from deqmpc import cli
from deqmpc.doctor.finding import error
from deqmpc.verbs import doctor
from deqmpc_core import errors
from deqmpc_core.bundle import find_bundle

FIGURELESS = {"report", "completion", "data plot", "policies show", "policies table"}
"""Verbs that make pages and pictures, or print what is JSON or Markdown already."""
FLOOD = """
import sys
from deqmpc import cli
cli._load = lambda name: lambda words: [sys.stdout.write("x" * 4096) for _ in range(1000)] and 0
sys.exit(cli.main(["sim"]))
"""


def test_help_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert set(cli.verbs()) == set(cli.ABOUT) == set(cli.BUILT_IN), "each with a sentence, each declared"
    assert cli.main([]) == 2 and cli.main(["--version"]) == 0


@pytest.mark.parametrize("verb", sorted(cli.BUILT_IN))
def test_every_verb_that_yields_figures_writes_them(verb: str) -> None:
    module = importlib.import_module(cli.BUILT_IN[verb].partition(":")[0])
    given = module.OPTIONS if isinstance(module.OPTIONS, dict) else {"": module.OPTIONS}
    mute = {word for word, kind in given.items() if "json" not in kind.__dataclass_fields__}
    assert callable(module.main) and {f"{verb} {word}".strip() for word in mute} <= FIGURELESS


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["tain"], "did you mean 'train'?"),
        (["sim", "--polcy", "x"], "--policy"),
        (["sim", "--speed", "fast"], "max"),
        (["data", "generat"], "generate"),
    ],
)
def test_a_typo_gets_a_hint(words: list[str], hint: str, capfd: pytest.CaptureFixture[str]) -> None:
    try:
        status = cli.main(words)
    except SystemExit as ended:
        status = ended.code
    told = capfd.readouterr()
    assert status == 2 and hint in told.out + told.err and "Traceback" not in told.err


def test_a_policy_nearly_named_gets_a_hint() -> None:
    with pytest.raises(errors.NoBundleError, match="did you mean 'crazyflie-deqmpc-deq'"):
        find_bundle("crazyflie-deqmpc-dq")


def test_statuses_tell_failure_from_wrong_use() -> None:
    named = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    wrong = {n for n, kind in named.items() if issubclass(kind, errors.DeqmpcError) and kind.status == 2}
    assert wrong == {"ConfigError", "UnknownNameError", "NoBundleError"}


def test_no_colours_but_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = error("python", "it is wrong", "do this")
    assert "\033[" not in doctor._line(bad) and "-> do this" in doctor._line(bad)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\033[31m" in doctor._line(bad)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033[" not in doctor._line(bad)


def test_ctrl_c_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While verbs are imported, and in one that looks about; acceptance presses it in a longer one."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "examined", interrupted)
    assert cli.main(["doctor"]) == 130
    monkeypatch.setattr(cli, "_load", interrupted)
    assert cli.main(["train"]) == 130
    told = capsys.readouterr()
    assert (told.out, told.err) == ("stopped\n", "stopped\n")


def test_a_closed_pipe_is_no_error() -> None:
    line = 'set -o pipefail; "$0" -c "$1" | head -c 4'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable, FLOOD], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "xxxx" and done.stderr == "" and done.returncode == 141


def test_a_missing_package_sends_to_the_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "verbs", lambda: {"train": "no_such_package.verb:main"})
    assert cli.main(["train"]) == 1 and "deqmpc doctor" in capsys.readouterr().err


def test_completion_knows_verbs_options_and_choices(tmp_path: Path) -> None:
    pytest.importorskip("shtab", reason="'shtab' is not installed")
    from deqmpc.completion import script

    text = script("bash")
    file = tmp_path / "deqmpc.bash"
    for shell in ("zsh", "fish"):
        assert "--policy" in script(shell) and "realtime" in script(shell)
    file.write_text(text)
    ask = (
        f"source {file}; COMP_WORDS=(deqmpc {{0}}); COMP_CWORD={{1}}; "
        "_shtab_deqmpc; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    for words, index, wanted in (
        ("tr", 1, "train"), ("sim --spe", 2, "--speed"), ("data gen", 2, "generate"),
        ("sim --speed m", 3, "max"), ("completion f", 2, "fish"),
    ):  # fmt: skip
        line = ask.format(words, index)
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20)
        assert wanted in done.stdout.split(), (words, done.stdout, done.stderr)
