"""The vendored messages are the released ones on the wire: same names, same fields, same type hashes."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTERFACES = ROOT / "src" / "interfaces"
FOLDERS = sorted(path.parent for path in INTERFACES.rglob("package.xml"))

# RIHS01 hashes of the released packages (crazyflie_interfaces 1.0.x, mocap4r2_msgs 0.1.0 and
# motion_capture_tracking_interfaces 1.0.9 for Jazzy), computed with rosidl from the upstream files.
_HASHES = {
    "crazyflie_interfaces": {
        "msg/FullState": "bd2e17994c6bec891c6ea8232010a47ecd291bc282ef452814229fd9297ba56f",
        "msg/Position": "a4bf0f7d2b21c142b07ce860e4d2192ad831125c65aee6f12fad6f628b329e55",
        "msg/Hover": "25174c75e2d9b9cce22d06151519f4797623067832701966ff555b861546db7b",
        "msg/VelocityWorld": "ebebec5ff9c1ef4fb392cb9fbce07379caa34dc6b4644a5b89e20af156eb0211",
        "msg/Status": "ff5d15767a9840ce663a6d80e7e9eb187929cb7e0ce597f9eaead0402c3f44b9",
        "msg/LogDataGeneric": "c384b5eed47a721c171818ebf0619ac2681eb5949b020a344247a16ab02a63e7",
        "srv/Takeoff": "c993cbf6ab9f668c9b3f85bf401956a80de5db48243ceedd5e25fdda027cb714",
        "srv/Land": "4e9791ea19b8d15570029738e86cccc3825f87b6e60854be62d8d38a9875b208",
        "srv/GoTo": "5ef2b5ac82f34a16abf356c3092a7d27006a9ab0dd0b88921c2f457ca293d9dc",
        "srv/NotifySetpointsStop": "3bc115f23a897d7733ea1f5a99ffb482466dacb693835f854d51ded802503e83",
        "srv/Arm": "febf413d9815e02c35f3bf5d5348e79139731cac23475c26c911ef22e768d88a",
        "srv/StartTrajectory": "34dd2282618c276f18fffcfcea689a966f2f78626b5d025c32218ca55c8345f7",
        "srv/UploadTrajectory": "f9b4bccd8481713cd55a3d6f3869ce54f88d22cef0e6bedf9f0c2b216af0028e",
    },
    "mocap4r2_msgs": {
        "msg/Marker": "0cadb14b00eb93dfd5d1b774f04f13efc0c2e08a3bee1abbaef9f67f6b10b943",
        "msg/Markers": "36a59e85fa0dcebed1f0a91d748ca17e259b187f779e725af5c6701e8a03054a",
        "msg/RigidBody": "7a1bca552c93a8da4f09083ef4327410b6687a95fe14db29292c4619166f5e66",
        "msg/RigidBodies": "1f2d74f2a1706c59639a2349b7be91e9e4d751fad6fc3048c59d8f1f0576ea70",
    },
    "motion_capture_tracking_interfaces": {
        "msg/NamedPoseArray": "d4c89ff7e0670d5f83b0322513e1c8dc2c3b279a68495daa026c352f0027e5f2",
    },
}
RELEASED = {f"{package}/{name}": value for package, types in _HASHES.items() for name, value in types.items()}


def share(package: str) -> Path:
    """Return the installed share folder of a package, or skip where the interfaces are not built."""
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(":"), sys.prefix]
    folders = [Path(prefix) / "share" / package for prefix in prefixes if prefix]
    found = next((folder for folder in folders if folder.is_dir()), None)
    if found is None:
        pytest.skip(f"{package} is not built: run make build")
    return found


@pytest.mark.parametrize("name", RELEASED)
def test_built_type_hash_is_the_released_one(name: str) -> None:
    package, kind, short = name.split("/")
    generated = json.loads((share(package) / kind / f"{short}.json").read_text())
    hashes = {entry["type_name"]: entry["hash_string"] for entry in generated["type_hashes"]}
    assert hashes[name] == f"RIHS01_{RELEASED[name]}"


@pytest.mark.parametrize("name", [name for name in RELEASED if "/msg/" in name])
def test_definition_in_the_tree_hashes_the_same(name: str) -> None:
    typesys = pytest.importorskip("rosbags.typesys")
    store = typesys.get_typestore(typesys.Stores.ROS2_JAZZY)
    for path in (INTERFACES / "vendored").glob("*/msg/*.msg"):
        key = f"{path.parts[-3]}/msg/{path.stem}"
        store.register(typesys.get_types_from_msg(path.read_text(), key))
    assert store.hash_rihs01(name) == f"RIHS01_{RELEASED[name]}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_definition_is_built(folder: Path) -> None:
    named = set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', (folder / "CMakeLists.txt").read_text()))
    present = {f"{path.parent.name}/{path.name}" for path in folder.glob("*/*.[ms][sr][gv]")}
    assert named == present


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_message_dependencies_are_declared(folder: Path) -> None:
    text = "\n".join(path.read_text() for path in folder.glob("*/*.[ms][sr][gv]"))
    used = set(re.findall(r"^([a-z]\w*)/\w+", text, re.MULTILINE)) - {folder.name}
    declared = set(re.findall(r"<depend>(\w+)</depend>", (folder / "package.xml").read_text()))
    assert used == declared


def test_plain_colcon_build_never_sees_the_vendored_packages() -> None:
    assert (INTERFACES / "vendored" / "COLCON_IGNORE").is_file()
