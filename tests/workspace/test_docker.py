"""docker/: the rules of hadolint that matter (no wheel of it is at hand), and what compose files ask for."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ("compose.yaml", "compose.hardware.yaml")
NEEDED_DEBS = {
    "ros-jazzy-crazyflie", "ros-jazzy-crazyflie-py", "ros-jazzy-crazyflie-interfaces",
    "ros-jazzy-mocap4r2-msgs", "ros-jazzy-motion-capture-tracking", "ros-jazzy-diagnostic-updater",
}  # fmt: skip


def instructions(text: str) -> list[tuple[str, str]]:
    """Keyword and rest of every instruction, continued lines joined, comments gone."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(pair[0], pair[1] if len(pair) > 1 else "") for pair in pairs]


def complaints(text: str) -> list[str]:
    """What a linter would say, by hadolint's rule numbers."""
    found, stages, pipefail = [], set(), False
    for keyword, rest in instructions(text):
        if keyword == "FROM":
            image, _, stage = rest.partition(" AS ")
            if image not in stages and (":" not in image or image.endswith(":latest")):
                found.append(f"DL3006/DL3007: {image} has no fixed tag")
            stages.add(stage)
        elif keyword == "SHELL":
            pipefail = "pipefail" in rest
        elif keyword == "RUN":
            found += _run_complaints(rest, pipefail)
        elif keyword == "WORKDIR" and not rest.startswith("/"):
            found.append(f"DL3000: WORKDIR {rest} is not absolute")
        elif keyword == "ADD":
            found.append("DL3020: COPY instead of ADD")
        elif keyword in ("CMD", "ENTRYPOINT") and not rest.startswith("["):
            found.append(f"DL3025: {keyword} {rest} is not in JSON form")
        elif keyword not in ("COPY", "ARG", "ENV", "LABEL", "CMD", "ENTRYPOINT", "WORKDIR", "USER"):
            found.append(f"DL1000: unknown instruction {keyword}")
    return found


def _run_complaints(command: str, pipefail: bool) -> list[str]:
    rules = {
        "DL3004: sudo": re.search(r"\bsudo\b", command),
        "DL3027: apt": re.search(r"\bapt (install|update)", command),
        "DL3009: apt lists stay": "apt-get update" in command and "rm -rf /var/lib/apt/lists" not in command,
        "DL3014: apt-get install asks": "apt-get install" in command and "install -y" not in command,
        "DL3015: recommends": "apt-get install" in command and "--no-install-recommends" not in command,
        "apt-get install without update": "apt-get install" in command and "apt-get update" not in command,
        "DL3042: pip cache": "pip install" in command and "--no-cache-dir" not in command,
        "DL4006: pipe without pipefail": re.search(r"[^|]\|[^|]", command) and not pipefail,
        "DL3003: cd": re.search(r"(^|&& )cd ", command),
    }
    return [rule for rule, broken in rules.items() if broken]


def test_the_dockerfile_is_clean() -> None:
    assert complaints((ROOT / "docker" / "Dockerfile").read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "FROM ros", "FROM ros:latest", "RUN sudo ls", "RUN apt-get update && apt-get install -y git",
        "RUN pip install numpy", "RUN ls | wc", "WORKDIR here", "ADD a b", "CMD deqmpc sim", "RUM ls",
        "RUN apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*",
        "RUN cd /a && ls",
    ],
)  # fmt: skip
def test_the_lint_sees(line: str) -> None:
    assert complaints(f"{line}\n")


def test_debs_are_named_once_in_order_and_all_that_is_needed_is_there() -> None:
    pairs = instructions((ROOT / "docker" / "Dockerfile").read_text())
    text = " ".join(rest for keyword, rest in pairs if keyword == "RUN")
    debs = re.findall(r"\b(?:ros-jazzy|python3)-[\w-]+", text)
    assert debs == sorted(set(debs)) and set(debs) >= NEEDED_DEBS


def test_copied_files_exist_and_the_entry_point_can_run() -> None:
    for key, rest in instructions((ROOT / "docker" / "Dockerfile").read_text()):
        for source in rest.split()[:-1] if key == "COPY" else ():
            assert (ROOT / source).exists(), source
    assert os.access(ROOT / "docker" / "entrypoint.sh", os.X_OK)


def test_the_robot_gets_what_its_packages_import() -> None:
    wanted = [line.strip("^=") for line in (ROOT / "docker/robot-packages.txt").read_text().split()]
    pinned = re.findall(r"^([\w-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert set(wanted) <= set(pinned) and wanted == sorted(wanted)
    for package in ("deqmpc_core", "deqmpc_policy_node"):
        setup = (ROOT / "src" / package / "setup.py").read_text()
        block = setup.partition("install_requires=[")[2].partition("]")[0]
        required = re.findall(r'"([\w-]+)(?:>=[\d.]+)?"', block)
        assert {name for name in required if not name.startswith("deqmpc")} <= {*wanted, "numpy"}


def services(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker" / name).read_text())["services"]


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_ask_for_stages_and_launch_arguments_that_exist(name: str) -> None:
    stages = re.findall(r"^FROM .* AS (\w+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    helper = (ROOT / "src/deqmpc/deqmpc/bringup.py").read_text()
    for service in services(name).values():
        assert service["build"]["target"] in stages and service["build"]["dockerfile"] == "docker/Dockerfile"
        words = service["command"].split()
        if words[:3] == ["ros2", "launch", "deqmpc"]:
            assert (ROOT / "launch" / words[3]).is_file()
            for word in words[4:]:
                assert f'    "{word.partition(":=")[0]}": (' in helper, word
