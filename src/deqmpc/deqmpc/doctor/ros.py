"""The ROS 2 environment: one distribution, one prefix, messages built, a DDS domain that others can reach."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor.finding import Finding, error, ok, skipped, warning

CHECK, DOMAIN = "ROS 2", "DDS settings"
DISTRO = "jazzy"
MESSAGES = (
    "deqmpc_interfaces", "crazyflie_interfaces", "mocap4r2_msgs", "motion_capture_tracking_interfaces",
)  # fmt: skip
FULL = "/opt/ros"
LARGEST_DOMAIN = 101
RANGES = ("SUBNET", "LOCALHOST", "SYSTEM_DEFAULT")
PROFILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_PATHS = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
FRESH = f"open a new shell without 'source {FULL}/...', or use the full ROS 2 alone"


@dataclass(frozen=True)
class Ros:
    """rclpy: where it is imported from, None: nowhere. wheels: whether this environment holds it as a wheel.
    missing: MESSAGES that are not there. environment: the variables. rmw: whether the library that
    RMW_IMPLEMENTATION names was found. files: which of the files that variables name exist."""

    rclpy: Path | None
    wheels: bool
    missing: tuple[str, ...]
    environment: Mapping[str, str]
    prefix: Path
    rmw: bool = True
    files: Mapping[str, bool] | None = None


def gather(environment: Mapping[str, str] | None = None) -> Ros:
    """Of this process; nothing of ROS is imported."""
    environment = dict(os.environ) if environment is None else environment
    spec = importlib.util.find_spec("rclpy")
    rclpy = Path(spec.origin).parent if spec and spec.origin else None
    prefix = Path(sys.prefix)
    wheels = any(prefix.glob("lib/python*/site-packages/ros_rclpy-*.dist-info"))
    missing = tuple(name for name in MESSAGES if importlib.util.find_spec(name) is None)
    named = {name: Path(environment[name]).is_file() for name in PROFILES if environment.get(name)}
    return Ros(rclpy, wheels, missing, environment, prefix, _rmw(environment, prefix), named)


def _rmw(environment: Mapping[str, str], prefix: Path) -> bool:
    wanted = environment.get("RMW_IMPLEMENTATION")
    places = [Path(p) for p in environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    return not wanted or any((place / "lib" / f"lib{wanted}.so").is_file() for place in (prefix, *places))


def check(ros: Ros) -> list[Finding]:
    """The environment, then the settings of DDS; one line where there is no ROS."""
    wrong = _distro(ros)
    if ros.rclpy is None:
        remedy = f"make build, or source {FULL}/{DISTRO}/setup.bash"
        lonely = skipped(CHECK, "rclpy is not installed: core, training and evaluation work without", remedy)
        return [*wrong, lonely]
    found = [*wrong, *_mixed(ros), *_messages(ros)]
    where = "wheels" if ros.wheels else "full ROS 2"
    return [*(found or [ok(CHECK, f"{DISTRO}, {where}, in {ros.rclpy.parent}")]), *_settings(ros)]


def _distro(ros: Ros) -> list[Finding]:
    distro = ros.environment.get("ROS_DISTRO", "")
    if distro in ("", DISTRO):
        return []
    text = f"ROS_DISTRO is '{distro}', this stack is made for '{DISTRO}'"
    return [error(CHECK, text, f"{FRESH}, or source {FULL}/{DISTRO}/setup.bash")]


def _mixed(ros: Ros) -> list[Finding]:
    """Wheels and a sourced /opt/ros in one process load two versions of the same libraries."""
    if not ros.wheels:
        return []
    values = {name: ros.environment.get(name, "") for name in _PATHS}
    foreign = [name for name, value in values.items() if FULL in value]
    if foreign:
        text = f"mixed: {FULL} in {' and '.join(foreign)}, but rclpy is the wheel of {ros.prefix}"
        return [error(CHECK, text, FRESH)]
    library = str(ros.prefix / "lib")
    done = ros.environment.get("_ROS_WHEELS_BOOTSTRAP_COMPLETE")
    if done and library not in values["LD_LIBRARY_PATH"].split(os.pathsep):
        text = f"started from another environment on wheels: LD_LIBRARY_PATH does not hold {library}"
        return [error(CHECK, text, "unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH")]
    return []


def _messages(ros: Ros) -> list[Finding]:
    if not ros.missing:
        return []
    remedy = "make build, or source install/setup.bash of the workspace"
    return [error(CHECK, f"message packages are not built: {', '.join(ros.missing)}", remedy)]


def _settings(ros: Ros) -> list[Finding]:
    """Domain, discovery range, middleware, profiles."""
    get = ros.environment.get
    found, domain, scope = [], get("ROS_DOMAIN_ID", ""), get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    if domain and not (domain.isdigit() and int(domain) <= LARGEST_DOMAIN):
        text = f"ROS_DOMAIN_ID is '{domain}', not a number from 0 to {LARGEST_DOMAIN}"
        found.append(error(DOMAIN, text, "unset ROS_DOMAIN_ID, or choose another"))
    if scope and scope not in RANGES:
        text = f"ROS_AUTOMATIC_DISCOVERY_RANGE is '{scope}': no node finds another"
        found.append(error(DOMAIN, text, f"set it to {' or '.join(RANGES[:2])}, or unset it"))
    if not ros.rmw:
        text = f"RMW_IMPLEMENTATION is '{get('RMW_IMPLEMENTATION')}', whose library is not installed"
        found.append(error(DOMAIN, text, "unset RMW_IMPLEMENTATION"))
    if get("ROS_LOCALHOST_ONLY", "0") not in ("", "0"):
        text = "ROS_LOCALHOST_ONLY is set, which overrules ROS_AUTOMATIC_DISCOVERY_RANGE"
        found.append(warning(DOMAIN, text, "unset it; set ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST instead"))
    for name in [name for name, there in (ros.files or {}).items() if not there]:
        found.append(error(DOMAIN, f"{name} names a file that does not exist", f"unset {name}"))
    return found or [ok(DOMAIN, f"domain {domain or 0}, range {scope or 'SUBNET'}")]
