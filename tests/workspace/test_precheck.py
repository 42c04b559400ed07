"""tools/precheck.sh and the Makefile: what is missing takes one line; a sourced ROS 2 stays out."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("git", "make", "g++")
PYTHON = """\
#!/bin/sh
case "$2" in
    *"not in"*) exit {unfit} ;;
    *ensurepip*) exit {no_venv} ;;
    *sysconfig*) exit {no_headers} ;;
    *) echo 3.13.5 ;;
esac
"""


class Machine:
    """A PATH that holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for tool in ("sh", "uname", "basename"):
            (folder / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
        for program in PROGRAMS:
            self.add(program, "#!/bin/sh\n")

    def add(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o755)

    def python(self, name: str = "python3", unfit: int = 0, no_venv: int = 0, no_headers: int = 0) -> None:
        self.add(name, PYTHON.format(unfit=unfit, no_venv=no_venv, no_headers=no_headers))

    def check(self, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "sh"), str(ROOT / "tools" / "precheck.sh")]
        return subprocess.run(
            command, env={"PATH": str(self.folder), **environment}, capture_output=True, text=True, timeout=30
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_complete_machine_gets_its_python_and_no_words(machine: Machine) -> None:
    machine.python()
    result = machine.check()
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.strip() == str(machine.folder / "python3")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_missing_program_is_one_line_with_its_package(machine: Machine, program: str) -> None:
    machine.python()
    (machine.folder / program).unlink()
    result = machine.check()
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"deqmpc: missing {program}. Install with: apt install {program}\n"


def test_everything_missing_is_still_one_line(machine: Machine) -> None:
    for program in PROGRAMS:
        (machine.folder / program).unlink()
    result = machine.check()
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert result.stderr.endswith("apt install python3 python3-venv python3-dev git make g++\n")


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_venv_and_headers_are_those_of_the_python_that_is_used(machine: Machine, name: str) -> None:
    machine.python("python3", unfit=1)
    machine.python(name, no_venv=1, no_headers=1)
    result = machine.check()
    assert result.returncode == 1
    assert result.stderr.endswith(f"apt install {name}-venv {name}-dev\n")


def test_an_unsupported_default_python_is_named(machine: Machine) -> None:
    machine.python(unfit=1)
    result = machine.check()
    assert result.returncode == 1
    assert "Python 3.11 or 3.12 (found 3.13.5)" in result.stderr and result.stderr.count("\n") == 1


def test_a_supported_python_beside_an_unsupported_default_is_used(machine: Machine) -> None:
    machine.python(unfit=1)
    machine.python("python3.11")
    assert machine.check().stdout.strip() == str(machine.folder / "python3.11")


def test_a_sourced_ros_is_named_and_does_not_stop_the_build(machine: Machine) -> None:
    machine.python()
    result = machine.check(ROS_DISTRO="jazzy", AMENT_PREFIX_PATH="/opt/ros/jazzy")
    assert result.returncode == 0 and result.stdout.strip() == str(machine.folder / "python3")
    assert result.stderr.count("\n") == 1
    assert "ROS 2 jazzy is sourced (/opt/ros/jazzy)" in result.stderr


SOURCED = {
    "AMENT_PREFIX_PATH": "/opt/ros/jazzy",
    "PYTHONPATH": "/opt/ros/jazzy/lib/python3.12/site-packages",
    "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib",
    "ROS_DISTRO": "jazzy",
    "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp",
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
}


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with a sourced ROS 2."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    command = ["make", "--silent", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | SOURCED, capture_output=True, text=True, timeout=60, check=True
    )


def test_make_hands_nothing_of_a_sourced_ros_to_its_commands() -> None:
    shown = make("--eval", "show: ; @env", "show").stdout
    assert not {line.partition("=")[0] for line in shown.splitlines()} & SOURCED.keys()


def test_make_names_a_sourced_ros() -> None:
    assert "ROS 2 jazzy is sourced (/opt/ros/jazzy)" in make("precheck").stderr
