"""tools/ros_wheels.py: the CMake files of the wheels point at the headers of the environment they are in."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXPORT = """\
set_target_properties(demo PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "{prefix}/include/demo;{python};{numpy}"
)
"""
BUILT = {
    "prefix": "${_IMPORT_PREFIX}",
    "python": "/opt/python/cp311-cp311/include/python3.11",
    "numpy": "/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include",
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ros_wheels", ROOT / "tools" / "ros_wheels.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "share" / "demo" / "cmake"
    folder.mkdir(parents=True)
    (folder / "export_demoExport.cmake").write_text(EXPORT.format(**BUILT))
    (folder / "demoConfig.cmake").write_text("# nothing to see\n")
    return tmp_path


@pytest.mark.parametrize("version", ["3.11", "3.12"])
def test_both_folders_are_replaced_and_nothing_else(tool: ModuleType, version: str) -> None:
    short = version.replace(".", "")
    built = {name: path.replace("311", short).replace("3.11", version) for name, path in BUILT.items()}
    here = {"prefix": BUILT["prefix"], "python": r"/odd\1 place/include", "numpy": "/env/numpy/_core/include"}
    folders = {tool._PYTHON_INCLUDE: Path(here["python"]), tool._NUMPY_INCLUDE: Path(here["numpy"])}
    assert tool.fixed(EXPORT.format(**built), folders) == EXPORT.format(**here)


def test_check_reports_fix_repairs_and_a_second_run_changes_nothing(tool: ModuleType, prefix: Path) -> None:
    before = {path: path.read_text() for path in prefix.rglob("*.cmake")}
    assert tool.main(["--prefix", str(prefix), "--check"]) == 1
    assert before == {path: path.read_text() for path in prefix.rglob("*.cmake")}
    assert tool.main(["--prefix", str(prefix)]) == 0
    assert tool.main(["--prefix", str(prefix), "--check"]) == 0
    assert tool.fix_exports(prefix, tool.include_folders()) == []
    text = (prefix / "share" / "demo" / "cmake" / "export_demoExport.cmake").read_text()
    included = re.findall(r'DIRECTORIES "(.*)"', text)[0]
    assert all(Path(folder).is_dir() for folder in included.split(";")[1:])


def test_this_environment_is_fixed(tool: ModuleType) -> None:
    if not (Path(sys.prefix) / "share" / "rclpy").is_dir():
        pytest.skip("ROS 2 does not come from wheels here")
    assert tool.fix_exports(Path(sys.prefix), tool.include_folders(), write=False) == []
