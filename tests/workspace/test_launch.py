"""launch/ and config/: what they start exists, and every parameter they set is one a node declares."""

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAUNCH_FILES = ("sim.launch.py", "bringup_hw.launch.py")
CONFIGS = ("sim.yaml", "hw.yaml")
POSE_SOURCES = "deqmpc_policy_node/deqmpc_policy_node/pose_sources.py"
NODES = {  # node: the files whose dataclasses hold its parameters
    "crazyflie_server": (
        "deqmpc_sim/deqmpc_sim/nodes/parameters.py",
        "deqmpc_sim/deqmpc_sim/firmware/truth.py",
    ),
    "deqmpc_policy": ("deqmpc_policy_node/deqmpc_policy_node/nodes/policy.py", POSE_SOURCES),
    "deqmpc_commander": (
        "deqmpc_policy_node/deqmpc_policy_node/commander_setup.py",
        "deqmpc_core/deqmpc_core/flight/configuration.py",
        POSE_SOURCES,
    ),
    "deqmpc_recorder": ("deqmpc_policy_node/deqmpc_policy_node/nodes/recorder.py",),
}


def fields(path: Path) -> set[str]:
    """Return the names of all annotated fields of the classes in a file."""
    classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    return {
        entry.target.id
        for node in classes
        for entry in node.body
        if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_in_the_configuration_is_declared_by_its_node(name: str) -> None:
    sections = yaml.safe_load((ROOT / "config" / name).read_text())
    for node, section in sections.items():
        known = set().union(*(fields(ROOT / "src" / path) for path in NODES[node]))
        given = set(section["ros__parameters"])
        assert given <= known, f"{node} has no parameter {given - known}"


@pytest.mark.parametrize("folder", ["launch", "config", "models"])
def test_the_package_installs_the_folders_of_the_root(folder: str) -> None:
    link = ROOT / "src" / "deqmpc" / folder
    assert link.is_symlink() and link.resolve() == ROOT / folder


def description(name: str) -> Any:
    """Return the launch description of a file of launch/, or skip where launch is absent."""
    pytest.importorskip("launch", reason="the packages launch and launch_ros come with a full ROS 2 only")
    pytest.importorskip("launch_ros", reason="the packages launch and launch_ros come with a full ROS 2 only")
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), ROOT / "launch" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.mark.launch
@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_launch_arguments(name: str) -> None:
    arguments = {argument.name: argument for argument in description(name).get_launch_arguments()}
    assert set(arguments) == {"policy", "robot", "record"}
    assert all(argument.description and argument.default_value for argument in arguments.values())


@pytest.mark.launch
@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_launched_executables_are_entry_points(name: str) -> None:
    nodes = [action for action in description(name).entities if hasattr(action, "node_executable")]
    assert len(nodes) >= 3
    for node in nodes:
        setup = (ROOT / "src" / node.node_package / "setup.py").read_text()
        assert f'"{node.node_executable} = {node.node_package}.nodes.' in setup
