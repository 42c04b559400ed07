"""Parameters of `crazyflie_server`: the run's, and one for every field of TruthConfig."""

import ast
import inspect
import json
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, cast

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node

from deqmpc_core.errors import ConfigError

Config = TypeVar("Config")
SPEEDS = ("realtime", "max")


@dataclass(frozen=True)
class SimulatorParameters:
    """What is simulated and how fast."""

    robot: str = "cf1"
    """Name of the robot: prefix of its topics and services."""
    body: str = ""
    """Name of its rigid body in motion capture; empty: the robot's name."""
    mocap_frame: str = "map"
    """frame_id of RigidBodies, as the driver would set it."""
    named_poses: bool = False
    """Publish the poses on /poses too (NamedPoseArray), for clients of Crazyswarm2's own motion capture."""
    bridge_guarded: bool = True
    """Poses that cannot be true (frozen, jumped) are kept from the robot's own estimator, as by the bridge;
    false: forward everything, as motion_capture_tracking does."""
    pose_rate: float = 10.0
    """Messages a second on /<robot>/pose, the robot's own estimate."""
    status_rate: float = 1.0
    """Messages a second on /<robot>/status."""
    task: str = "crazyflie"
    """Task whose room, spheres, starts and referee are used."""
    seed: int = 0
    """Seed of the first episode; ~/reset chooses others."""
    episode: int = 0
    """Index of the first episode."""
    autostart: bool = True
    """Robots other than the drone: the first episode begins when a policy is there; false: wait for
    ~/reset."""
    speed: str = "realtime"
    """realtime: wall clock; max: as fast as the commander answers, /clock tells the time."""
    policy_steps: int = 0
    """Policy periods the referee judges; 0: the task's."""
    rate: float = 50.0
    """With speed max: steps a second of simulated time, the commander's rate."""
    step_timeout: float = 10.0
    """With speed max: s of wall time to wait for the commander before it counts as lost."""
    followers: int = 2
    """With speed max: subscribers of RigidBodies that must be there before time starts (commander and
    policy)."""

    def __post_init__(self) -> None:
        if self.speed not in SPEEDS:
            raise ConfigError(f"parameter 'speed' must be {' or '.join(SPEEDS)}, got '{self.speed}'")
        for name in ("pose_rate", "status_rate"):
            if not 0.0 < getattr(self, name) <= 100.0:
                raise ConfigError(f"parameter '{name}' must be in (0, 100] Hz, got {getattr(self, name)}")


def declare(node: Node, config: type[Config]) -> Config:
    """Declare every field of `config` as a read-only parameter, described by the docstring under it; return
    the instance.

    Raises ConfigError naming the parameter when its type or value does not fit.
    """
    helps = field_docs(config)
    values: dict[str, Any] = {}
    for spec in fields(cast(Any, config)):
        default = spec.default if spec.default is not MISSING else cast(Any, spec.default_factory)()
        descriptor = ParameterDescriptor(description=helps.get(spec.name, spec.name), read_only=True)
        try:
            value = node.declare_parameter(spec.name, default, descriptor).value
        except InvalidParameterTypeException as error:
            raise ConfigError(f"parameter '{spec.name}' of node {node.get_name()}: {error}") from error
        values[spec.name] = tuple(value) if isinstance(default, tuple) and value is not None else value
    return config(**values)


def table(configs: Sequence[type]) -> str:
    """Markdown: name, default and meaning of every parameter."""
    rows = ["| parameter | default | meaning |", "|---|---|---|"]
    for config in configs:
        helps = field_docs(config)
        for spec in fields(cast(Any, config)):
            default = spec.default if spec.default is not MISSING else cast(Any, spec.default_factory)()
            shown = f"{default:.6g}" if isinstance(default, float) else json.dumps(default)
            rows.append(f"| `{spec.name}` | `{shown}` | {' '.join(helps.get(spec.name, '').split())} |")
    return "\n".join(rows) + "\n"


def field_docs(config: type) -> dict[str, str]:
    """Name of each field and the string literal that follows it in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(config)))
    body = cast(ast.ClassDef, tree.body[0]).body
    docs: dict[str, str] = {}
    for statement, following in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                docs[statement.target.id] = str(following.value.value)
    return docs
