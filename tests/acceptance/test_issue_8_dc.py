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


@pytest.fixture(scope="module", params=interpreters())
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """The interpreter of a new environment in which the core's wheel was installed, with what it asks for."""
    place = tmp_path_factory.mktemp(f"python{request.param}") / "env"
    subprocess.run([f"python{request.param}", "-m", "venv", str(place)], env=plain_environment(), check=True)
    python = place / "bin" / "python"
    install(python, *map(str, wheels.glob("deqmpc_core-*.whl")))
    return python


def install(python: Path, *what: str) -> None:
    """Install, and let pip say whether everything fits together."""
    for words in (["install", "--quiet", *what], ["check"]):
        subprocess.run([str(python), "-m", "pip", *words], env=plain_environment(), check=True)


def run(python: Path, program: str, folder: Path) -> str:
    """What a program prints, away from the repository and from any cache."""
    environment = plain_environment(DEQMPC_CACHE=str(folder / "cache"))
    words = [str(python), "-c", program]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def readme_example() -> str:
    return re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]  # type: ignore[index]


def fly_the_readme(python: Path, folder: Path) -> None:
    """Run the README's example on the policy it names."""
    printed = run(python, readme_example().replace("models/", f"{ROOT}/models/"), folder)
    assert float(re.search(r"tensor\(([\d.e-]+)", printed)[1]) < 0.1  # type: ignore[index]


def packages(python: Path) -> dict[str, str]:
    """Name and version of all that is installed."""
    words = [str(python), "-m", "pip", "list", "--format", "json"]
    listed = subprocess.run(words, env=plain_environment(), check=True, capture_output=True, text=True)
    return {package["name"]: package["version"] for package in json.loads(listed.stdout)}


def test_the_core_s_wheel_flies_the_readme_s_example(core: Path, tmp_path: Path) -> None:
    found = {name.replace("-", "_") for name in packages(core)}
    assert "deqmpc_core" in found and not {"gymnasium", "mujoco", "pyarrow", "deqmpc_sim"} & found
    fly_the_readme(core, tmp_path)


def test_it_does_so_with_the_oldest_numpy_that_it_claims(core: Path, tmp_path: Path) -> None:
    assert f"numpy>={OLDEST_NUMPY.removesuffix('.0')}" in (ROOT / "src/deqmpc_core/setup.py").read_text()
    install(core, f"numpy=={OLDEST_NUMPY}")
    assert packages(core)["numpy"] == OLDEST_NUMPY
    fly_the_readme(core, tmp_path)


def test_the_trainer_s_wheel_trains(core: Path, wheels: Path, tmp_path: Path) -> None:
    """The example that trains, with the three wheels and what they ask for; no ROS, no package of nodes."""
    install(core, *(str(wheel) for wheel in wheels.glob("*.whl")))
    program = (ROOT / "examples/train_in_a_minute.py").read_text()
    small = re.sub(r"(?m)^EPISODES, STEPS, JUDGED = .*", "EPISODES, STEPS, JUDGED = 4, 4, 4", program)
    (tmp_path / "small.py").write_text(small)
    done = subprocess.run([str(core), "small.py"], cwd=tmp_path, capture_output=True, text=True,
                          env=plain_environment(DEQMPC_CACHE=str(tmp_path / "cache")))  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pendulum-deqmpc-nn: return" in done.stdout
    found = {name.replace("-", "_") for name in packages(core)}
    assert not {name for name in found if name.startswith(("ros_", "deqmpc_policy"))}
