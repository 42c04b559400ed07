"""Where a recording comes from: the policy's hash, configuration, versions. It goes into custom_data."""

import hashlib
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deqmpc_core import __version__
from deqmpc_core.bundle import find_bundle
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.policies import UNLEARNED

PACKAGES = ("mcap", "numba", "numpy", "torch")


def origin(policy: str, task: str, configuration: Sequence[Path]) -> dict[str, str]:
    """Texts by name. configuration: the parameter files, the first of them overruled by the later ones."""
    texts = [path.read_text() for path in configuration if path.is_file()]
    return {
        "policy": policy,
        "policy_sha256": policy_hash(policy, task),
        "task": task,
        "config": "\n".join(texts),
        "config_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        "deqmpc": __version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def policy_hash(policy: str, task: str) -> str:
    """SHA-256 over policy.json and the weights; empty for policies without a bundle, or when none is found:
    the policy node says so itself."""
    if policy in UNLEARNED:
        return ""
    try:
        directory = find_bundle(policy, task)
    except DeqmpcError:
        return ""
    digest = hashlib.sha256()
    for name in ("policy.json", "model.safetensors"):
        file = directory / name
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()
