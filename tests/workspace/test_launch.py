"""launch/ and config/: what they start exists, and every parameter they set is one a node declares."""

import ast
import importlib.util
import re
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
    "deqmpc_mocap_bridge": ("deqmpc_policy_node/deqmpc_policy_node/nodes/mocap_bridge.py",),
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
    pytest.importorskip("launch_ros", reason="the packages launch and launch_ros come with a full ROS 2 only")
    pytest.importorskip("launch_ros", reason="the packages launch and launch_ros come with a full ROS 2 only")
    spec = importlib.util.spec_from_file_location(name.replace(".", "_"), ROOT / "launch" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.mark.launch
def test_both_launch_files_take_the_same_arguments() -> None:
    lists = [description(name).get_launch_arguments() for name in LAUNCH_FILES]
    told = [{a.name: a.description for a in arguments} for arguments in lists]
    assert told[0] == told[1] and all(told[0].values())
    asked = {"robot", "policy", "record", "task", "pose_source", "commander", "rviz", "foxglove"}
    assert asked <= set(told[0])


@pytest.mark.launch
@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_launched_executables_are_entry_points(name: str) -> None:
    nodes = [action for action in description(name).entities if hasattr(action, "node_executable")]
    assert {node.node_executable for node in nodes} >= {"policy", "commander", "recorder", "mocap_bridge"}
    for node in nodes:
        setup = (ROOT / "src" / node.node_package / "setup.py").read_text()
        assert f'"{node.node_executable} = {node.node_package}.nodes.' in setup


@pytest.mark.launch
def test_the_command_line_overrules_the_parameter_file_where_it_says_something() -> None:
    pytest.importorskip("launch_ros", reason="the packages launch and launch_ros come with a full ROS 2 only")
    from launch import LaunchContext

    from deqmpc.bringup import ARGUMENTS, Given, given

    values = dict.fromkeys(ARGUMENTS, "") | {"robot": "cf1", "task": "crazyflie", "policy": "goal-mpc"}
    silent = {"robot": "cf1", "task": "crazyflie", "policy": "goal-mpc"}
    assert given("deqmpc_commander", values) == silent
    values |= {"commander": "crazyflie_py", "body": "7", "pose_source": "named_pose_array"}
    told = {"link": "crazyflie_py", "body": "7", "pose_source": "named_pose_array"}
    assert given("deqmpc_commander", values) == silent | told
    assert given("crazyflie_server", values)["named_poses"] is True
    assert given("deqmpc_mocap_bridge", values)["names"] == "7:cf1"
    context = LaunchContext()
    context.launch_configurations.update(values)
    file = Path(Given("deqmpc_policy").perform(context))
    assert yaml.safe_load(file.read_text()) == {"deqmpc_policy": {"ros__parameters": silent | told}}
    file.unlink()


@pytest.mark.launch
def test_a_viewer_that_is_not_installed_is_named_and_the_rest_goes_on() -> None:
    pytest.importorskip("launch_ros", reason="the packages launch and launch_ros come with a full ROS 2 only")
    from launch import LaunchContext

    from deqmpc.bringup import VIEWERS, viewers

    context = LaunchContext()
    context.launch_configurations.update(dict.fromkeys(VIEWERS, "true"))
    assert len(viewers(context)) == len(VIEWERS)
    context.launch_configurations.update(dict.fromkeys(VIEWERS, "false"))
    assert not viewers(context)


@pytest.mark.parametrize("name", ["rviz/deqmpc.rviz", "foxglove/deqmpc.json"])
def test_layouts_show_topics_that_nodes_publish(name: str) -> None:
    """Layouts are YAML or JSON, which is YAML; their topics are ours or the robot cf1's."""
    text = (ROOT / "config" / name).read_text()
    assert yaml.safe_load(text)
    names = (ROOT / "src/deqmpc_policy_node/deqmpc_policy_node/topics.py").read_text()
    for topic in re.findall(r"/deqmpc/\w+", text):
        assert f'"{topic}"' in names, topic
    for topic in re.findall(r"/cf1/(\w+)", text):
        assert topic in {"pose", "status", "cmd_full_state"}


def test_the_server_is_told_what_the_commander_checks() -> None:
    robots = yaml.safe_load((ROOT / "config" / "crazyflies.yaml").read_text())
    firmware = robots["all"]["firmware_params"]
    assert firmware["stabilizer"]["controller"] == 2 and robots["all"]["reference_frame"] == "world"
    kinds = robots["robot_types"].values()
    assert all(0.02 < kind["firmware_params"]["ctrlMel"]["mass"] < 0.06 for kind in kinds)
    assert {robot["type"] for robot in robots["robots"].values()} <= set(robots["robot_types"])
    server = yaml.safe_load((ROOT / "config" / "server.yaml").read_text())
    assert set(server) == {"/crazyflie_server"}
