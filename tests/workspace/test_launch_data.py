"""launch/collect and launch/train: they say what the verbs understand, and flights come before the import."""

import ast
import importlib
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from deqmpc.session.options import Sim
from deqmpc_train.config import Overrides
from deqmpc_train.verbs.data import FromBags
from deqmpc_train.verbs.train import TrainArguments
from tests.workspace.test_launch import ROOT, description

_VERBS = {"collect.launch.py": (Sim, FromBags), "train.launch.py": (TrainArguments, Overrides)}


def _said(name: str) -> set[str]:
    """Every option in the file's text, and those it spells from a list of names."""
    tree = ast.parse((ROOT / "launch" / name).read_text())
    words = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    listed = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign)
                   and getattr(n.targets[0], "id", "") == "OPTIONS"), ())  # fmt: skip
    return {w[2:] for w in words if w.startswith("--") and len(w) > 2} | set(listed)


@pytest.mark.parametrize("name", _VERBS)
def test_options_are_those_of_the_verbs(name: str) -> None:
    known = {f.name.replace("_", "-") for arguments in _VERBS[name] for f in fields(arguments)}
    said = {option.removeprefix("no-") for option in _said(name)}
    assert said and said <= known, said - known


def _words(action: Any, given: dict[str, str]) -> list[str]:
    """The command line of a process, the arguments as given or by default."""
    context = importlib.import_module("launch").LaunchContext()
    context.launch_configurations.update(given)
    return ["".join(s.perform(context) for s in word) for word in action.cmd]


def _arguments(found: Any) -> dict[str, str]:
    context = importlib.import_module("launch").LaunchContext()
    for argument in found.get_launch_arguments():
        assert argument.description and argument.default_value
        text = "".join(s.perform(context) for s in argument.default_value)
        context.launch_configurations[argument.name] = text
    return dict(context.launch_configurations)


STAND_IN = """
import json, os, sys
with open("calls.json", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + chr(10))
sys.exit(int(os.environ["SIM_STATUS"]) if sys.argv[1] == "sim" else 0)
"""


@pytest.mark.launch
@pytest.mark.parametrize("status", [0, 1])
def test_collect_flies_then_imports_the_same_folder(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for `deqmpc` that notes what it is asked; failed flights are not imported."""
    found = description("collect.launch.py")
    assert set(_arguments(found)) == {"policy", "episodes", "seed", "out"}
    (tmp_path / "deqmpc").mkdir()
    (tmp_path / "deqmpc" / "__main__.py").write_text(STAND_IN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SIM_STATUS", str(status))
    service = importlib.import_module("launch").LaunchService(noninteractive=True)
    service.include_launch_description(found)
    service.run()
    calls = [json.loads(line) for line in (tmp_path / "calls.json").read_text().splitlines()]
    fly = calls[0]
    assert fly[0] == "sim" and fly[fly.index("--policy") + 1] == "crazyflie-deqmpc-deq"
    assert "--record" in fly and fly[fly.index("--episodes") + 1] == "20"
    runs = fly[fly.index("--runs-dir") + 1]
    assert calls[1:] == ([] if status else [["data", "from-bags", runs, "--out", "data/flown"]])


@pytest.mark.launch
def test_train_starts_one_run() -> None:
    found = description("train.launch.py")
    given = _arguments(found)
    fresh, resumed = [action for action in found.entities if hasattr(action, "cmd")]
    line = _words(fresh, given)
    assert line[:4] == [sys.executable, "-m", "deqmpc", "train"]
    assert Path(line[line.index("--out") + 1]) == Path("models/crazyflie-deqmpc-deq")
    assert _words(resumed, given) == [*line, "--resume"]
