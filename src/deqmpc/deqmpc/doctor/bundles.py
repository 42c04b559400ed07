"""Policy bundles: files that can be read, and golden outputs that come out again."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor.finding import Finding, error, ok, skipped

CHECK = "bundle"
FILES = ("policy.json", "model.safetensors", "golden.safetensors")


@dataclass(frozen=True)
class Bundle:
    """sha256: over FILES. difference: the largest relative one from the golden outputs, None where they were
    not recomputed. trouble: what is wrong."""

    name: str
    sha256: str
    difference: float | None = None
    trouble: str = ""


def places(named: Sequence[str]) -> tuple[list[Path], list[Bundle]]:
    """Directories of the named bundles (all there are if none is named), and those not found."""
    from deqmpc_core.bundle import find_bundle, list_bundles
    from deqmpc_core.errors import DeqmpcError

    if not named:
        return list_bundles(), []
    found, lost = [], []
    for name in named:
        try:
            found.append(find_bundle(name))
        except DeqmpcError as why:
            lost.append(Bundle(name, "", trouble=str(why)))
    return found, lost


def gather(
    directories: Iterable[Path], recompute: Callable[[Path], bool], note: Callable[[str], None]
) -> list[Bundle]:
    """A bundle each; the golden outputs of those that `recompute` wants. note: told what is being done."""
    return [_look(directory, recompute, note) for directory in directories]


def _look(directory: Path, recompute: Callable[[Path], bool], note: Callable[[str], None]) -> Bundle:
    from deqmpc_core.bundle import read_config, verify_bundle
    from deqmpc_core.errors import DeqmpcError

    name, digest = directory.name, sha256(directory)
    try:
        read_config(directory)
        for file in FILES[1:]:
            _readable(directory / file)
        if not recompute(directory):
            return Bundle(name, digest)
        note(f"recomputing the golden outputs of {name}")
        return Bundle(name, digest, verify_bundle(directory))
    except (DeqmpcError, OSError) as why:
        return Bundle(name, digest, trouble=str(why))


def _readable(file: Path) -> None:
    """Raises BundleError for tensors that cannot be read; a file that is not there is another's trouble."""
    from safetensors import SafetensorError, safe_open

    from deqmpc_core.errors import BundleError

    if not file.is_file():
        return
    try:
        with safe_open(file, "np") as tensors:
            tensors.keys()
    except SafetensorError as why:
        raise BundleError(f"{file.name}: {why}") from why


def sha256(directory: Path) -> str:
    """Over the bytes of FILES that are there."""
    total = hashlib.sha256()
    for name in FILES:
        file = directory / name
        total.update(file.read_bytes() if file.is_file() else b"")
    return total.hexdigest()


def check(bundles: Sequence[Bundle]) -> list[Finding]:
    """A line for each bundle that was recomputed or is broken, one for the rest."""
    found = [_verdict(b) for b in bundles if b.trouble or b.difference is not None]
    rest = [b.name for b in bundles if not b.trouble and b.difference is None]
    if rest:
        text = f"golden outputs not recomputed, their kernels are not compiled: {', '.join(rest)}"
        found.append(skipped(CHECK, text, f"deqmpc doctor --policies {rest[0]}"))
    return found or [skipped(CHECK, "no policy bundle found", "run in the repository, or set DEQMPC_MODELS")]


def _verdict(bundle: Bundle) -> Finding:
    if bundle.trouble:
        remedy = "restore the bundle (git checkout models) or train it again"
        return error(CHECK, f"{bundle.name}: {bundle.trouble}", remedy)
    words = f"{bundle.name}: golden outputs within {bundle.difference:.0e}, sha256 {bundle.sha256[:12]}"
    return ok(CHECK, words)
