"""Bundles: round trip, names, and every way to be broken."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from deqmpc_core import load_policy
from deqmpc_core.bundle import save_bundle, verify_bundle
from deqmpc_core.errors import BundleError
from deqmpc_core.policies import PolicyConfig, make_policy
from deqmpc_core.types import Observation


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    policy = make_policy(PolicyConfig("crazyflie", "deqmpc-deq", hidden=16, rounds=2))
    assert policy.network is not None
    torch.nn.init.normal_(policy.network.outlet.weight, std=0.05)
    save_bundle(policy, tmp_path / "crazyflie-deqmpc-deq", "card", {"a": 1})
    return tmp_path / "crazyflie-deqmpc-deq"


def test_round_trip_by_path_name_and_variant(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEQMPC_MODELS", str(bundle.parent))
    x = torch.full((2, 12), 0.1, dtype=torch.float64)
    plans = []
    for policy in (load_policy(bundle), load_policy(bundle.name), load_policy("deqmpc-deq", "crazyflie")):
        plans.append(policy(Observation(x), policy.initial_state(2))[0].u)
    assert torch.equal(plans[0], plans[1]) and torch.equal(plans[0], plans[2])
    assert verify_bundle(bundle) < 1e-6
    assert (bundle / "README.md").read_text() == "card" and json.loads(
        (bundle / "eval.json").read_text()
    ) == {"a": 1}
    assert [p.name for p in bundle.parent.iterdir()] == [bundle.name]


@pytest.mark.parametrize(
    "options",
    [{"variant": "nn"}, {"variant": "deq", "obstacles": "seen"},
     {"variant": "deqmpc-nn", "obstacles": "predicted", "predicts": ("waypoints", "velocity_weights")}],
)  # fmt: skip
def test_every_kind_of_network_comes_back(tmp_path: Path, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    made = make_policy(PolicyConfig("crazyflie", hidden=16, rounds=2, adjoint="exact", **options))
    save_bundle(made, tmp_path / "kind")
    assert load_policy(tmp_path / "kind").config == made.config
    assert verify_bundle(tmp_path / "kind") < 1e-6


def test_replacing_leaves_one_bundle(bundle: Path) -> None:
    save_bundle(load_policy(bundle), bundle, "newer")
    assert (bundle / "README.md").read_text() == "newer" and len(list(bundle.parent.iterdir())) == 1


def test_a_failed_save_keeps_the_old_bundle(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = load_policy(bundle)

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deqmpc_core.bundle.save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_bundle(policy, bundle)
    monkeypatch.undo()
    assert verify_bundle(bundle) < 1e-6 and len(list(bundle.parent.iterdir())) == 1


def edit(bundle: Path, **changes: object) -> None:
    file = bundle / "policy.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_unknown_key_is_refused_by_name(bundle: Path) -> None:
    edit(bundle, hiden=3)
    with pytest.raises(BundleError, match="'hiden'; did you mean 'hidden'"):
        load_policy(bundle)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"schema": 9}, "expected schema 1, got 9"), ({"hidden": 32}, "does not fit policy.json"),
     ({"task": "pendulem"}, "unknown task"), ({"hidden": "x"}, "policy.json"),
     ({"obstacles": "felt"}, "obstacles: expected one of"), ({"predicts": 5}, "policy.json")],
)  # fmt: skip
def test_a_changed_policy_json_is_refused(bundle: Path, changes: dict[str, object], message: str) -> None:
    edit(bundle, **changes)
    with pytest.raises(BundleError, match=message):
        load_policy(bundle)


@pytest.mark.parametrize("name", ["policy.json", "model.safetensors", "golden.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone", "noise"])
def test_a_damaged_file_is_named(bundle: Path, name: str, damage: str) -> None:
    file = bundle / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\x93" * len(content))
    with pytest.raises(
        BundleError, match=name if damage != "gone" or name != "policy.json" else "no policy.json"
    ):
        verify_bundle(bundle)


def test_changed_weights_fail_verification(bundle: Path) -> None:
    policy = load_policy(bundle)
    assert policy.network is not None
    policy.network.outlet.bias += 1.0
    save_bundle(policy, bundle.parent / "other")
    (bundle.parent / "other" / "model.safetensors").replace(bundle / "model.safetensors")
    with pytest.raises(BundleError, match="differs from the golden output"):
        verify_bundle(bundle)


def test_wrong_task_missing_task_and_unknown_names(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEQMPC_MODELS", str(bundle.parent))
    with pytest.raises(BundleError, match="for task 'crazyflie', not 'pendulum'"):
        load_policy(bundle, "pendulum")
    with pytest.raises(BundleError, match="needs a task"):
        load_policy("goal-mpc")
    with pytest.raises(BundleError, match="is a variant; name its task"):
        load_policy("deqmpc-nn")
    with pytest.raises(BundleError, match="no policy 'nonsense'.*crazyflie-deqmpc-deq"):
        load_policy("nonsense")
    with pytest.raises(BundleError, match="no policy.json"):
        load_policy(bundle.parent)
    assert load_policy("hover", "crazyflie").config.variant == "hover"
