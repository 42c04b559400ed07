"""`deqmpc doctor` on an environment with faults in it: the command itself, without a graph."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from deqmpc.verbs.doctor import main
from deqmpc_core.bundle import find_bundle
from deqmpc_core.mpc.kernels import build


@pytest.fixture(autouse=True)
def own_cache() -> Any:
    build.cache_directory.cache_clear()
    yield
    build.cache_directory.cache_clear()


def corrupt_bundle(folder: Path) -> Path:
    place = folder / "crazyflie-corrupt"
    shutil.copytree(find_bundle("crazyflie-deqmpc-deq"), place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    return place


def fake_distribution(folder: Path, name: str, *required: str) -> None:
    info = folder / f"{name}-9.9.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 9.9"]
    lines += [f"Requires-Dist: {text}" for text in required]
    (info / "METADATA").write_text("\n".join(lines) + "\n")


def stale_cache(folder: Path) -> Path:
    (folder / "kernels").mkdir(parents=True)
    (folder / "kernels" / "crazyflie_T5_augmented_lagrangian_0123456789abcdef.py").write_text("")
    return folder


def examined(tmp_path: Path, *words: str) -> tuple[int, list[dict[str, str]]]:
    status = main([*words, "--no-graph", "--json", str(tmp_path / "out.json")])
    return status, json.loads((tmp_path / "out.json").read_text())["findings"]


def test_faults_of_an_environment_are_found_in_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_distribution(tmp_path / "site", "deqmpc_sim", "no-such-package>=1", "packaging<1")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("DEQMPC_CACHE", str(stale_cache(tmp_path / "cache")))
    for name, value in (
        ("ROS_DISTRO", "humble"), ("AMENT_PREFIX_PATH", "/opt/ros/humble"), ("ROS_DOMAIN_ID", "999"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    status, found = examined(tmp_path, "--policies", str(corrupt_bundle(tmp_path)), "no-such-policy")
    told = {f"{f['level']} {f['check']}: {f['text']}": f["remedy"] for f in found}
    planted = [
        ("error packages", "'no-such-package' is not installed; deqmpc_sim needs it"),
        ("error packages", "'packaging' is"), ("compiler", "no g++, no make"),
        ("warning kernels", "stale"), ("error bundle", "crazyflie-corrupt: model.safetensors: "),
        ("error bundle", "no policy 'no-such-policy'"), ("error ROS 2", "ROS_DISTRO is 'humble'"),
    ]  # fmt: skip
    if importlib.util.find_spec("rclpy") is not None:
        planted += [("error ROS 2", "mixed"), ("error DDS settings", "'999'")]
    for check, words in planted:
        hits = [line for line in told if check in line and words in line]
        assert len(hits) == 1, f"{check}: {words}\n" + "\n".join(told)
        assert told[hits[0]], "a remedy"
    assert status == 1 and "-> " in capsys.readouterr().out


def test_an_unwritable_cache_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DEQMPC_CACHE", str(tmp_path / "file" / "cache"))
    status, found = examined(tmp_path, "--policies", "no-such-policy")
    assert status == 1 and any("no policy 'no-such-policy'" in f["text"] for f in found)
    (line,) = [f for f in found if f["check"] == "kernel cache"]
    assert line["level"] == "warning" and "cannot write to" in line["text"]


def test_bad_use_is_told_by_the_status(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--no-such-option"])
    assert ended.value.code == 2
