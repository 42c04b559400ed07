"""What sim.launch.py and bringup_hw.launch.py share: their arguments, and all nodes but the outside.

Both launch files take the same arguments; they differ in what stands for the world: the simulator, or
Crazyswarm2's server with motion capture.
"""

# pyright: reportMissingImports=false
# The packages launch and launch_ros come with a full ROS 2 only.

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, Substitution
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import EqualsSubstitution, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from deqmpc_policy_node.topics import COMMANDER_NODE, MOCAP_BRIDGE_NODE, POLICY_NODE, RECORDER_NODE

SHARE = FindPackageShare("deqmpc")
SERVER_NODE = "crazyflie_server"
VIEWERS = {  # argument: package, executable, deb
    "rviz": ("rviz2", "rviz2", "ros-jazzy-rviz2"),
    "foxglove": ("foxglove_bridge", "foxglove_bridge", "ros-jazzy-foxglove-bridge"),
}
ARGUMENTS = {  # name: default, description; a launch file may change the default
    "robot": ("cf1", "name of the robot: prefix of its topics and services, its name in crazyflies.yaml"),
    "task": ("crazyflie", "task the policy is made for; pendulum, cartpole, quadrotor, qpole...: that robot"),
    "policy": ("", "path or name of a policy bundle, a variant, or goal-mpc; default <task>-deqmpc-deq"),
    "config": ("", "parameter file of all nodes; default is the one this launch file is shipped with"),
    "record": ("true", "write MCAP bags, one a flight"),
    "bag": ("", "the first bag's directory; default runs/<UTC time>/bag"),
    "commander": ("", "way to the robot: topics, or crazyflie_py; default as the parameter file says"),
    "pose_source": ("", "rigid_bodies, named_pose_array or pose_stamped; default as the parameter file says"),
    "pose_topic": ("", "topic of the poses; default as the parameter file says"),
    "body": ("", "name or streaming id of the rigid body; default as the parameter file says"),
    "bridge": ("true", "start the bridge from /rigid_bodies to /poses, the server's input"),
    "server": ("true", "start the outside: the simulator, or Crazyswarm2's server"),
    "rviz": ("false", "start RViz with our layout, where it is installed"),
    "foxglove": ("false", "start foxglove_bridge, where it is installed"),
}
PARAMETERS = {  # argument: the parameter it sets, when it is given
    **{name: name for name in ("robot", "task", "policy", "pose_source", "pose_topic", "body")},
    "commander": "link",
}
ENCLAVES = {  # of config/sros2/policies.xml; without effect while security is off
    POLICY_NODE: "/deqmpc/policy",
    COMMANDER_NODE: "/deqmpc/commander",
    RECORDER_NODE: "/deqmpc/recorder",
    MOCAP_BRIDGE_NODE: "/deqmpc/mocap_bridge",
    SERVER_NODE: "/deqmpc/server",
}


def arguments(config: str, **changed: str) -> list[DeclareLaunchArgument]:
    """The arguments of both launch files. config: name of the parameter file; changed: other defaults."""
    here = {
        "policy": [LaunchConfiguration("task"), "-deqmpc-deq"],
        "config": PathJoinSubstitution([SHARE, "config", config]),
        "bag": f"runs/{datetime.now(UTC):%Y%m%dT%H%M%SZ}/bag",
        **changed,
    }
    return [
        DeclareLaunchArgument(name, default_value=here.get(name, default), description=words)
        for name, (default, words) in ARGUMENTS.items()
    ]


def node(package: str, executable: str, name: str, *parameters: dict[str, Any], **options: Any) -> Node:
    """A node that reads the parameter file, then what was said on the command line, then `parameters`."""
    return Node(
        package=package,
        executable=executable,
        name=name,
        parameters=[LaunchConfiguration("config"), Given(name), *parameters],
        ros_arguments=["--enclave", ENCLAVES[name]],
        output="screen",
        **options,
    )


def stack() -> list[Node | OpaqueFunction]:
    """Policy, commander, recorder, bridge and viewers."""
    ours = "deqmpc_policy_node"
    words: dict[str, Substitution] = {"directory": LaunchConfiguration("bag"), "provenance": Provenance()}
    bag = {name: ParameterValue(value, value_type=str) for name, value in words.items()}
    drone = EqualsSubstitution(LaunchConfiguration("task"), "crazyflie")  # other robots have no commander
    recording, bridging = (IfCondition(LaunchConfiguration(name)) for name in ("record", "bridge"))
    return [
        node(ours, "policy", POLICY_NODE),
        node(ours, "commander", COMMANDER_NODE, condition=IfCondition(drone)),
        node(ours, "recorder", RECORDER_NODE, bag, condition=recording),
        node(ours, "mocap_bridge", MOCAP_BRIDGE_NODE, condition=bridging),
        OpaqueFunction(function=viewers),
    ]


def told(context: LaunchContext) -> dict[str, str]:
    """Every argument's value; empty where neither a default nor the command line gave one."""
    return {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}


def given(node_name: str, values: dict[str, str]) -> dict[str, Any]:
    """The parameters that arguments set on a node; those left empty stay as the parameter file has them."""
    found: dict[str, Any] = {key: values[name] for name, key in PARAMETERS.items() if values[name]}
    if node_name == SERVER_NODE and values["pose_source"]:
        found["named_poses"] = values["pose_source"] == "named_pose_array"
    if node_name == MOCAP_BRIDGE_NODE and values["body"] not in ("", values["robot"]):
        found["names"] = f"{values['body']}:{values['robot']}"
    return found


class Given(Substitution):
    """The path of a parameter file with what the command line says to one node."""

    def __init__(self, node_name: str) -> None:
        super().__init__()
        self._node_name = node_name

    def perform(self, context: LaunchContext) -> str:
        """Write the file."""
        section = {self._node_name: {"ros__parameters": given(self._node_name, told(context))}}
        with tempfile.NamedTemporaryFile("w", prefix="deqmpc_launch_", suffix=".yaml", delete=False) as file:
            yaml.safe_dump(section, file)
        return file.name

    def describe(self) -> str:
        """For `ros2 launch --print`."""
        return f"Given({self._node_name})"


class Provenance(Substitution):
    """What the recorder writes into custom_data, as JSON: worked out when the recorder starts."""

    def perform(self, context: LaunchContext) -> str:
        """Read policy and parameter file; a policy that does not exist is left to the policy node."""
        from deqmpc.session.provenance import origin

        values = told(context)
        known = origin(values["policy"], values["task"], [Path(values["config"])])
        return json.dumps({**known, "launch": json.dumps(values, sort_keys=True)})

    def describe(self) -> str:
        """For `ros2 launch --print`."""
        return "Provenance()"


def viewers(context: LaunchContext) -> Sequence[Node | LogInfo]:
    """The viewers that were asked for; one that is not installed is named, and the rest goes on."""
    started: list[Node | LogInfo] = []
    for name, (package, executable, deb) in VIEWERS.items():
        if LaunchConfiguration(name).perform(context).lower() != "true":
            continue
        try:
            get_package_prefix(package)
        except PackageNotFoundError:
            started.append(LogInfo(msg=f"{name}:=true, but {package} is not installed: apt install {deb}"))
            continue
        layout = PathJoinSubstitution([SHARE, "config", "rviz", "deqmpc.rviz"])
        words = ["-d", layout] if name == "rviz" else []
        started.append(Node(package=package, executable=executable, arguments=words, output="screen"))
    return started
