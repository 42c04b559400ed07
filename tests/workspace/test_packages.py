"""Each package under src/ says what it is and needs, and imports point down only (README: layout)."""

import ast
import configparser
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"
PACKAGES = ("deqmpc", "deqmpc_core", "deqmpc_policy_node", "deqmpc_sim", "deqmpc_train")
# What each may import of the others.
BELOW = {
    "deqmpc_core": set(),
    "deqmpc_sim": {"deqmpc_core"},
    "deqmpc_train": {"deqmpc_core", "deqmpc_sim"},
    "deqmpc_policy_node": {"deqmpc_core"},
    "deqmpc": {"deqmpc_core", "deqmpc_sim", "deqmpc_train", "deqmpc_policy_node"},
}
# Folders and files that may use ROS, by package; the others must import on a machine that has none.
ROS_ROOMS: dict[str, tuple[str, ...]] = {
    "deqmpc_core": (),
    "deqmpc_sim": ("nodes",),
    "deqmpc_train": (),
    "deqmpc_policy_node": (".",),
    "deqmpc": (".",),
}
DISTRIBUTIONS = {  # where the import has another name
    "markdown_it": "markdown-it-py", "mpl_toolkits": "matplotlib", "yaml": "pyyaml",
}  # fmt: skip
ROS = {"rclpy", "launch", "launch_ros", "ament_index_python"}


def sources(package: str) -> list[Path]:
    """Return the package's Python files."""
    return sorted((SRC / package / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the top-level names of all absolute imports of a file, also those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def defined(path: Path) -> set[str]:
    """Return the names of the functions a file defines or imports at its top level."""
    body = ast.parse(path.read_text()).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    lists = [node.names for node in body if isinstance(node, ast.ImportFrom)]
    return functions | {alias.asname or alias.name for names in lists for alias in names}


@cache
def manifest(package: str) -> ElementTree.Element:
    """Return the root of the package's package.xml."""
    return ElementTree.parse(SRC / package / "package.xml").getroot()


@cache
def setup_metadata(package: str) -> list[str]:
    """Return name, version, description and licence as setup.py gives them."""
    command = [sys.executable, "setup.py", "--quiet", "--name", "--version", "--description", "--license"]
    shown = subprocess.run(command, cwd=SRC / package, capture_output=True, text=True, timeout=60, check=True)
    return shown.stdout.strip().splitlines()


def is_ros_interface(name: str) -> bool:
    return name in ROS or name.endswith(("_msgs", "_interfaces")) or name == "std_srvs"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_and_setup_py_agree(package: str) -> None:
    root = manifest(package)
    assert root.get("format") == "3"
    stated = [root.findtext(tag) for tag in ("name", "version", "description", "license")]
    assert stated == setup_metadata(package)
    assert root.findtext("export/build_type") == "ament_python"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_has_its_markers(package: str) -> None:
    assert (SRC / package / "resource" / package).is_file()
    assert (SRC / package / package / "py.typed").is_file()
    setup = configparser.ConfigParser()
    setup.read(SRC / package / "setup.cfg")
    assert setup["develop"]["script_dir"] == setup["install"]["install_scripts"]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down_only(package: str) -> None:
    own = set(PACKAGES) - {package}
    for path in sources(package):
        assert not imported(path) & own - BELOW[package], path


@pytest.mark.parametrize("package", PACKAGES)
def test_ros_stays_in_its_rooms(package: str) -> None:
    home = SRC / package / package
    for path in sources(package):
        used = {name for name in imported(path) if is_ros_interface(name)}
        allowed = any(path.is_relative_to(home / room) for room in ROS_ROOMS[package])
        assert allowed or not used, f"{path} imports {used}"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_of_ros_and_of_ours_is_declared(package: str) -> None:
    declared = {element.text for element in manifest(package) if element.tag.endswith("depend")}
    used = set().union(*(imported(path) for path in sources(package))) - {package}
    ours = {name for name in used if is_ros_interface(name) or name in PACKAGES}
    assert ours <= declared, f"add to {package}/package.xml: {ours - declared}"


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_of_others_is_required(package: str) -> None:
    text = (SRC / package / "setup.py").read_text()
    required = set(re.findall(r'^        "([\w-]+)(?:>=[\d.]+)?",$', text, re.MULTILINE))
    used = set().union(*(imported(path) for path in sources(package))) - {package} - sys.stdlib_module_names
    others = {DISTRIBUTIONS.get(name, name) for name in used if not is_ros_interface(name)}
    assert others <= required, f"add to {package}/setup.py: {others - required}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_entry_point_names_a_function_that_exists(package: str) -> None:
    for module, function in re.findall(r'" *\w+ = ([\w.]+):(\w+)"', (SRC / package / "setup.py").read_text()):
        path = SRC / package / Path(*module.split(".")).with_suffix(".py")
        assert path.is_file(), f"{module} does not exist"
        assert function in defined(path), f"{module} has no function {function}"
