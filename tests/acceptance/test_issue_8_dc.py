"""Acceptance of issue 8, what a newcomer finds: the tutorial in a fresh clone, the pages, the wheels.

`make accept N=8`. The clone is that of the committed state; what was measured is kept under
runs/accept-8/<digest>/ and not measured again. Needs the package index.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import pytest
from kept import ROOT, kept_under, once

pytestmark = pytest.mark.accept

PAGE = "docs/tutorials/own_robot.md"
MINUTES = 40
PLAIN = [
    "tests/docs", "tests/core/test_examples.py", "tests/core/test_own_task.py",
    "tests/workspace/test_version.py",
]  # fmt: skip
OLDEST_NUMPY = "1.26.0"
INNER = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "DEQMPC_MODELS")


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(8, "src", "examples", "docs", "requirements.txt", "Makefile")


def plain_environment(**more: str) -> dict[str, str]:
    """The environment without what this one's interpreter has put into it."""
    return {k: v for k, v in os.environ.items() if k not in INNER} | more


def test_pages_examples_and_versions() -> None:
    subprocess.run([sys.executable, "-m", "pytest", "-q", *PLAIN], cwd=ROOT, check=True)


def test_the_tutorial_in_a_fresh_clone(kept: Path, tmp_path: Path) -> None:
    """Clone, build, and the tutorial's command: define, solve, train, judge; nothing else is touched."""
    told = once(kept / "tutorial.json", lambda: follow_the_tutorial(tmp_path))
    assert told["seconds"] < 60 * MINUTES
    assert told["touched"] == ""
    policy, plain = told["rows"]["planar_drone-deqmpc-nn"], told["rows"]["goal-mpc"]
    assert policy["success"] >= 0.9 and policy["share"] > plain["share"]


def follow_the_tutorial(folder: Path) -> dict[str, Any]:
    clone, environment = folder / "clone", plain_environment(DEQMPC_CACHE=str(folder / "cache"))
    begun = time.monotonic()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    subprocess.run(["make", "build"], cwd=clone, env=environment, check=True)
    built = time.monotonic()
    command = next(line for line in (clone / PAGE).read_text().splitlines() if line.startswith("python "))
    words = [str(clone / ".venv/bin/python"), *command.split()[1:]]
    done = subprocess.run(words, cwd=clone, env=environment, check=True, capture_output=True, text=True)
    rows = re.findall(r"^(\S+): ([\d.-]+) of the expert's return, success (\d+)%$", done.stdout, re.MULTILINE)
    status = ["git", "status", "--porcelain"]
    touched = subprocess.run(status, cwd=clone, check=True, capture_output=True, text=True).stdout
    return {
        "seconds": time.monotonic() - begun, "seconds_after_the_build": time.monotonic() - built,
        "printed": done.stdout, "touched": touched,
        "rows": {name: {"share": float(share), "success": int(rate) / 100} for name, share, rate in rows},
    }  # fmt: skip


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels of the three packages that need no ROS, built from copies of their folders."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in ("deqmpc_core", "deqmpc_sim", "deqmpc_train"):
        source = shutil.copytree(
            ROOT / "src" / name, folder / "src" / name, ignore=shutil.ignore_patterns("build", "*.egg-info")
        )
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        subprocess.run([*pip, "-w", str(folder), str(source)], check=True)
    return folder


def interpreters() -> list[Any]:
    """Python 3.11 and 3.12, a skip for each that is not here."""
    return [
        pytest.param(version, marks=pytest.mark.skipif(
            not answers(f"python{version}"), reason=f"python{version} is not installed"))
        for version in ("3.11", "3.12")
    ]  # fmt: skip


def answers(python: str) -> bool:
    """Whether an interpreter of this name is here and runs."""
    return shutil.which(python) is not None and not subprocess.run(
        [python, "--version"], capture_output=True
    ).returncode


def installed(place: Path, version: str, *what: str) -> Path:
    """The interpreter of a new environment in which `what` was installed and nothing else."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        venv.create(place, with_pip=True)
    else:
        subprocess.run([f"python{version}", "-m", "venv", str(place)], check=True)
    python = place / "bin" / "python"
    for words in (["install", "--quiet", *what], ["check"]):
        subprocess.run([str(python), "-m", "pip", *words], env=plain_environment(), check=True)
    return python


def run(python: Path, program: str, folder: Path) -> str:
    """What a program prints, away from the repository and from any cache."""
    environment = plain_environment(DEQMPC_CACHE=str(folder / "cache"))
    words = [str(python), "-c", program]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def readme_example() -> str:
    return re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]  # type: ignore[index]


@pytest.mark.parametrize("version", interpreters())
@pytest.mark.parametrize("numpy", [None, OLDEST_NUMPY])
def test_the_core_s_wheel_flies_the_readme_s_example(
    version: str, numpy: str | None, wheels: Path, tmp_path: Path
) -> None:  # fmt: skip
    (wheel,) = wheels.glob("deqmpc_core-*.whl")
    if numpy:
        assert f"numpy>={numpy.removesuffix('.0')}" in (ROOT / "src/deqmpc_core/setup.py").read_text()
    python = installed(tmp_path / "env", version, str(wheel), *([f"numpy=={numpy}"] if numpy else []))
    printed = run(python, readme_example().replace("models/", f"{ROOT}/models/"), tmp_path)
    assert float(re.search(r"tensor\(([\d.e-]+)", printed)[1]) < 0.1  # type: ignore[index]
    if numpy:
        assert run(python, "import numpy; print(numpy.__version__)", tmp_path).strip() == numpy


@pytest.mark.parametrize("version", interpreters())
def test_the_trainer_s_wheel_trains(version: str, wheels: Path, tmp_path: Path) -> None:
    """The example that trains, in an environment of the three wheels and what they ask for; no ROS."""
    python = installed(tmp_path / "env", version, *map(str, wheels.glob("*.whl")))
    program = (ROOT / "examples/train_in_a_minute.py").read_text()
    small = re.sub(r"(?m)^EPISODES, STEPS, JUDGED = .*", "EPISODES, STEPS, JUDGED = 4, 4, 4", program)
    (tmp_path / "small.py").write_text(small)
    done = subprocess.run([str(python), "small.py"], cwd=tmp_path, capture_output=True, text=True,
                          env=plain_environment(DEQMPC_CACHE=str(tmp_path / "cache")))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pendulum-deqmpc-nn: return" in done.stdout
    words = [str(python), "-m", "pip", "list", "--format", "json"]
    listed = subprocess.run(words, capture_output=True, text=True)
    names = [package["name"] for package in json.loads(listed.stdout)]
    assert not [name for name in names if name.startswith(("ros-", "deqmpc-policy"))]
