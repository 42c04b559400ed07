"""The compiled kernels and the cache they lie in. Looking compiles nothing."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from deqmpc.doctor.finding import Finding, error, ok, warning

CHECK, CACHE = "kernels", "kernel cache"
_PART = "augmented_lagrangian"
"""The kernels of learned policies' solver."""
GROWN = 2 * 1024**3
"""Bytes of a cache in which most is of older versions."""


@dataclass(frozen=True)
class Kernel:
    """The kernels of one robot, horizon and method. present: their source for this version is in the cache;
    compiled: marked so; code: the machine code is there; older: how many of other versions are there."""

    name: str
    present: bool
    compiled: bool
    code: bool
    older: int

    @property
    def ready(self) -> bool:
        """A process that needs them loads them."""
        return self.present and self.compiled and self.code


@dataclass(frozen=True)
class Cache:
    """wanted: the folder asked for; used: the one that can be written; size: bytes in it; kernels: those the
    policies here need; trouble: why nothing can be said."""

    wanted: Path
    used: Path
    size: int = 0
    kernels: tuple[Kernel, ...] = ()
    trouble: str = ""


def gather(bundles: Iterable[Path]) -> Cache:
    """What the learned policies in these directories need, and what is there."""
    from deqmpc_core.mpc.kernels.build import cache_directory

    asked = os.environ.get("DEQMPC_CACHE") or str(Path.home() / ".cache" / "deqmpc")
    wanted, used = Path(asked) / "kernels", cache_directory()
    size = sum(file.stat().st_size for file in used.rglob("*") if file.is_file())
    paths = {path.name: path for path in map(needed_by, bundles) if path is not None}
    return Cache(wanted, used, size, tuple(_kernel(path) for _, path in sorted(paths.items())))


def needed_by(bundle: Path) -> Path | None:
    """The cached module of a learned policy's solver; None for other policies, and bundles that are broken:
    that is told elsewhere."""
    from deqmpc_core.bundle import read_config
    from deqmpc_core.errors import DeqmpcError
    from deqmpc_core.mpc.kernels import build
    from deqmpc_core.tasks import load_task

    try:
        config = read_config(bundle)
        task = load_task(config.task, **config.task_options)
    except DeqmpcError:
        return None
    if not config.learned:
        return None
    digest = build._digest(task.system, config.horizon, task.substeps, _PART)
    return build.cache_directory() / f"{task.system.name}_T{config.horizon}_{_PART}_{digest}.py"


def ready(bundle: Path) -> bool:
    """Whether the policy's kernels are compiled for this version."""
    path = needed_by(bundle)
    return path is not None and _kernel(path).ready


def _kernel(path: Path) -> Kernel:
    robot, _, _ = path.stem.rpartition("_")
    older = [file for file in path.parent.glob(f"{robot}_*.py") if file != path]
    code = any((path.parent / "__pycache__").glob(f"{path.stem}.*.nbc"))
    return Kernel(robot, path.exists(), path.with_suffix(".compiled").exists(), code, len(older))


def check(cache: Cache) -> list[Finding]:
    """The folder, then the kernels."""
    if cache.trouble:
        return [error(CHECK, cache.trouble, "see the line 'packages'")]
    return [_folder(cache), *_kernels(cache.kernels)]


def _folder(cache: Cache) -> Finding:
    if cache.used != cache.wanted:
        text = f"cannot write to {cache.wanted}; kernels go to {cache.used}, which may be lost with a reboot"
        return warning(CACHE, text, "make the folder writable, or set DEQMPC_CACHE to one that is")
    words = f"{cache.used}, {cache.size / 1024**2:.0f} MiB"
    if cache.size > GROWN:
        return warning(CACHE, f"{words}, most of it of older versions", f"rm -r {cache.used}")
    return ok(CACHE, words)


def _kernels(kernels: Sequence[Kernel]) -> list[Finding]:
    """A line for each that is not ready, one for all that are."""
    found = [_unready(kernel) for kernel in kernels if not kernel.ready]
    names = [kernel.name for kernel in kernels if kernel.ready]
    return [*([ok(CHECK, f"compiled: {', '.join(names)}")] if names else []), *found]


def _unready(kernel: Kernel) -> Finding:
    cost = "the next start compiles, about a minute"
    remedy = f"deqmpc policies verify BUNDLE (of {kernel.name.split('_')[0]}) compiles them now"
    if kernel.present and kernel.compiled:
        text = f"{kernel.name}: marked as compiled, but the machine code is gone; every start compiles anew"
        return warning(CHECK, text, f"remove {kernel.name}_* from the cache, then {remedy}")
    if kernel.older:
        text = f"{kernel.name}: stale, {kernel.older} for another source, numba or processor; {cost}"
        return warning(CHECK, text, remedy)
    return warning(CHECK, f"{kernel.name}: not compiled yet; {cost}", remedy)
