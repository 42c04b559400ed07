"""ROS parameters from frozen dataclasses: one field, one declared parameter with description and range."""

from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar, cast

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from deqmpc_core.errors import ConfigError

Config = TypeVar("Config")
Bounds = tuple[float, float]


def option(default: Any, help: str, bounds: Bounds | None = None, read_only: bool = True) -> Any:
    """A dataclass field that carries what its parameter's descriptor needs. default=MISSING makes it
    required; read_only=False lets it change while the node runs. A list of words is a tuple of them, ("",)
    when it is empty: ROS cannot tell the type of an empty list."""
    metadata = {"help": help, "bounds": bounds, "read_only": read_only}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def declare(node: Node, config: type[Config]) -> Config:
    """Declare every field of `config` as a parameter, read-only unless the field says otherwise, and return
    the instance their values make; what was declared before is read.

    Raises ConfigError naming node and parameter when one is missing, of the wrong type or out of its range.
    """
    return config(**{f.name: _declare_one(node, f) for f in fields(cast(Any, config))})


def _declare_one(node: Node, spec: Field[Any]) -> Any:
    default = "" if spec.default is MISSING else spec.default
    try:
        if node.has_parameter(spec.name):
            value = node.get_parameter(spec.name).value
        else:
            value = node.declare_parameter(spec.name, default, descriptor_of(spec, default)).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ConfigError(f"parameter '{spec.name}' of node {node.get_name()}: {error}") from error
    if spec.default is MISSING and value == "":
        raise ConfigError(
            f"parameter '{spec.name}' of node {node.get_name()} is missing ({_help(spec)}); "
            f"give -p {spec.name}:=..."
        )
    return tuple(value) if isinstance(spec.default, tuple) and value is not None else value


def _help(spec: Field[Any]) -> str:
    return spec.metadata.get("help", spec.name.replace("_", " "))


def descriptor_of(spec: Field[Any], default: Any) -> ParameterDescriptor:
    """The descriptor of a field: description, range, read-only."""
    descriptor = ParameterDescriptor(
        description=_help(spec), read_only=bool(spec.metadata.get("read_only", True))
    )
    bounds = spec.metadata.get("bounds")
    if bounds is not None and isinstance(default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(bounds[0]), to_value=float(bounds[1]))
        ]
    elif bounds is not None and isinstance(default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(bounds[0]), to_value=int(bounds[1]), step=1)]
    return descriptor
