"""A policy as a directory: policy.json, model.safetensors, README.md, eval.json, golden.safetensors.

`load_policy` takes a path, a bundle's name, or a variant when the task is known; `save_bundle` writes all or
nothing; `verify_bundle` recomputes the golden outputs.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from deqmpc_core.errors import BundleError, DeqmpcError, NoBundleError, near
from deqmpc_core.policies import UNLEARNED, VARIANTS, Policy, PolicyConfig, make_policy
from deqmpc_core.tasks import Task, load_task, task_names
from deqmpc_core.types import Observation

SCHEMA = 1
_GOLDEN_SAMPLES = 8
_GOLDEN_KNOTS = 5
_GOLDEN_TOLERANCE = 1e-3


def load_policy(name_or_path: str | Path, task: str | Task | None = None, backend: str = "native") -> Policy:
    """The policy of a bundle directory, a bundle name, or (with task) a variant such as goal-mpc.

    Raises BundleError naming what was looked for and what to do.
    """
    name, wanted = str(name_or_path), task if isinstance(task, str) else getattr(task, "name", None)
    if name in UNLEARNED and not (name == "expert" and wanted is not None and _has_bundle("expert", wanted)):
        return _unlearned(name, task, backend)
    directory = find_bundle(name, wanted)
    config = read_config(directory)
    if wanted is not None and config.task != wanted:
        raise BundleError(
            f"bundle '{directory}' is for task '{config.task}', not '{wanted}'; "
            f"choose a bundle of '{wanted}' or run it with --task {config.task}"
        )
    try:
        policy = make_policy(config, task if isinstance(task, Task) else None, backend)
    except DeqmpcError as error:
        own = "" if config.task in task_names() else "; a task of your own: import what registers it first"
        raise BundleError(f"bundle '{directory}' cannot be built: {error}{own}") from error
    _load_weights(policy, directory)
    return policy


def _unlearned(variant: str, task: str | Task | None, backend: str) -> Policy:
    if task is None:
        raise BundleError(f"policy '{variant}' needs a task; add --task (known: {', '.join(task_names())})")
    task = load_task(task) if isinstance(task, str) else task
    return make_policy(PolicyConfig(task.name, variant, horizon=task.horizon), task, backend)


def _has_bundle(variant: str, task: str) -> bool:
    return any((root / f"{task}-{variant}" / "policy.json").is_file() for root in bundle_roots())


def bundle_roots() -> list[Path]:
    """Directories in which bundle names are looked up, in order."""
    roots = [Path(p) for p in os.environ.get("DEQMPC_MODELS", "").split(os.pathsep) if p]
    roots.append(Path("models"))
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    roots += [Path(p) / "share" / "deqmpc" / "models" for p in prefixes if p]
    source = Path(__file__).resolve().parents[3] / "models"
    return [*roots, source] if source.is_dir() else roots


def list_bundles() -> list[Path]:
    """Every bundle under the roots; of equal names the first found."""
    found: dict[str, Path] = {}
    for root in bundle_roots():
        for directory in sorted(root.glob("*/policy.json")):
            found.setdefault(directory.parent.name, directory.parent)
    return list(found.values())


def find_bundle(name: str, task: str | None = None) -> Path:
    """The directory meant by a path, a bundle name or (with task) a variant."""
    path = Path(name)
    if (path / "policy.json").is_file():
        return path
    if path.is_dir():
        raise BundleError(
            f"'{path}' is no policy bundle: it has no policy.json; give a directory made by deqmpc train"
        )
    names = [name] if task is None else [name, f"{task}-{name}"]
    for root in bundle_roots():
        for candidate in names:
            if (root / candidate / "policy.json").is_file():
                return root / candidate
    raise NoBundleError(_not_found(name, task))


def _not_found(name: str, task: str | None) -> str:
    if name in VARIANTS and task is None:
        return (
            f"policy '{name}' is a variant; name its task too (--task), or a bundle such as crazyflie-{name}"
        )
    known = [*(p.name for p in list_bundles()), *UNLEARNED]
    searched = ", ".join(str(r) for r in bundle_roots())
    return (
        f"no policy '{name}' in {searched}{near(name, known)}; known: {', '.join(known)}; "
        "give a path or set DEQMPC_MODELS"
    )


def read_config(directory: Path) -> PolicyConfig:
    """policy.json, checked key by key."""
    file = directory / "policy.json"
    try:
        values = json.loads(file.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"cannot read '{file}': {error}; restore the bundle or train it again") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise BundleError(
            f"'{file}': expected schema {SCHEMA}, got {schema!r}; use the release that wrote it"
        )
    try:
        return PolicyConfig.from_json(values)
    except (DeqmpcError, TypeError) as error:
        raise BundleError(f"'{file}': {error}") from error


def _load_weights(policy: Policy, directory: Path) -> None:
    if policy.network is None:
        return
    file = directory / "model.safetensors"
    try:
        policy.network.load_state_dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise BundleError(f"cannot read '{file}': {error}; restore the bundle or train it again") from error
    except RuntimeError as error:
        detail = str(error).splitlines()[-1].strip()
        raise BundleError(f"'{file}' does not fit policy.json: {detail}") from error
    policy.network.eval().requires_grad_(False)


def save_bundle(
    policy: Policy, directory: Path, card: str = "", evaluation: dict[str, Any] | None = None
) -> None:
    """Write the bundle beside its place, then rename: a reader sees the old one or the new one."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        _write(policy, fresh, card, evaluation or {})
        replace_directory(fresh, directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_directory(fresh: Path, directory: Path) -> None:
    """Put `fresh` in the place of `directory`; the old one stays until the new one is there."""
    fresh.chmod(0o755)
    old = directory.with_name(f".{directory.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if directory.exists():
        directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old, ignore_errors=True)


def _write(policy: Policy, directory: Path, card: str, evaluation: dict[str, Any]) -> None:
    values = {"schema": SCHEMA, **policy.config.to_json()}
    (directory / "policy.json").write_text(json.dumps(values, indent=2) + "\n")
    (directory / "README.md").write_text(card or f"# {policy.config.task}-{policy.config.variant}\n")
    (directory / "eval.json").write_text(json.dumps(evaluation, indent=2) + "\n")
    if policy.network is not None:
        tensors = {k: v.detach().contiguous().clone() for k, v in policy.network.state_dict().items()}
        save_file(tensors, directory / "model.safetensors")
    save_file(_golden_outputs(policy, _golden_inputs(policy)), directory / "golden.safetensors")


def _golden_inputs(policy: Policy) -> Tensor:
    """Start states (8, n) near those of the task."""
    starts = [torch.from_numpy(policy.task.start(20_000, i)) for i in range(_GOLDEN_SAMPLES)]
    return torch.stack(starts)


def _golden_outputs(policy: Policy, x: Tensor) -> dict[str, Tensor]:
    """A cold tick at x and a warm one from the plan's own next state; the plans' first knots."""
    cold, state = policy(_golden_view(policy, x), policy.initial_state(x.shape[0]))
    warm, _ = policy(_golden_view(policy, cold.x[:, 1].clone()), state)
    outputs = {"cold_theta": cold.theta, "cold_u": cold.u, "warm_theta": warm.theta, "warm_u": warm.u}
    begin = {k: v[:, :_GOLDEN_KNOTS] for k, v in outputs.items()}
    return {k: v.detach().contiguous().clone() for k, v in ({"x": x} | begin).items()}


def _golden_view(policy: Policy, x: Tensor) -> Observation:
    """The observation in x (8, n); where spheres differ by episode, they stand as at its start."""
    task = policy.task
    if task.fixed_layout:
        return task.observe(x)
    layouts = [torch.from_numpy(task.obstacles(20_000, i)) for i in range(len(x))]
    return task.observe(x, torch.stack(layouts), policy.config.horizon)


def verify_bundle(directory: Path) -> float:
    """Largest relative difference between golden outputs and those computed now; BundleError above 1e-3."""
    policy, file = load_policy(directory), directory / "golden.safetensors"
    try:
        golden = load_file(file)
        outputs = _golden_outputs(policy, golden["x"])
        errors = {k: _difference(golden[k], v) for k, v in outputs.items()}
    except (OSError, SafetensorError, KeyError) as error:
        raise BundleError(f"cannot read '{file}': {error}; restore the bundle") from error
    worst = max(errors, key=lambda k: errors[k])
    if not errors[worst] <= _GOLDEN_TOLERANCE:
        raise BundleError(
            f"'{directory}': {worst} differs from the golden output by {errors[worst]:.1e}; restore it"
        )
    return errors[worst]


def _difference(expected: Tensor, got: Tensor) -> float:
    if expected.shape != got.shape:
        return float("inf")
    return float((expected - got).abs().max() / (expected.abs().max() + 1e-9))
