"""Compiled kernels specialised to one robot, horizon and integrator: source written once, compiled once,
cached.

The cache lies in $DEQMPC_CACHE, else ~/.cache/deqmpc, else (read-only homes) the temporary directory.
Everything that decides the machine code goes into the file's name: kernel sources, sizes, flags, versions,
processor.
"""

import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import llvmlite
import llvmlite.binding
import numba
import sympy

from deqmpc_core.mpc.kernels.generate import curvature_source, inequality_source, stage_source
from deqmpc_core.systems.system import System

_MARK = "# --- kernel ---"
_SHARED = ("integrator", "constraints", "riccati")
_PARTS = {
    "augmented_lagrangian": (*_SHARED, "augmented_lagrangian", "shift"),
    "interior_point": (*_SHARED, "interior_point", "shift"),
    "adjoint": (*_SHARED, "curvature", "adjoint"),
    "block": ("integrator", "block_sweep", "block_lanes", "block_model", "block_interior_point"),
    "block_adjoint": ("integrator", "block_sweep", "block_lanes", "block_adjoint"),
}
_BLOCKS = ("block", "block_adjoint")  # whose lanes are samples
_IMPORTED = ("stack", "vector", "data", "generate", "build")  # what generated source imports or comes from
_ENTRIES = ("SOLVE", "IMPROVE", "ADJOINT")  # names of the entry functions' signatures
_FASTMATH = ("arcp", "contract", "nsz", "reassoc")  # never nnan: finiteness tests must survive
_FLAGS = ("SLP_VECTORIZE", "LOOP_VECTORIZE", "OPT")  # of numba.config, which belongs to the whole process
_LOCK = threading.RLock()


@lru_cache(maxsize=64)
def kernels(system: System, horizon: int, substeps: int, part: str) -> ModuleType:
    """The compiled module for these sizes; part: "augmented_lagrangian", "interior_point", "adjoint" or
    "block" and "block_adjoint", the interior point of LANES samples at once and its adjoint.

    Its entry `…_range` lets other Python threads run; `…_range_alone` does not, because for one sample that
    only costs hand-overs. Machine code fresh from the compiler can differ in the last bit from what a later
    process loads from the cache, so a child process compiles and every process loads.
    """
    path = (
        cache_directory() / f"{system.name}_T{horizon}_{part}_{_digest(system, horizon, substeps, part)}.py"
    )
    if not path.exists():
        _write(path, _source(system, horizon, substeps, part))
    mark = path.with_suffix(".compiled")
    with _LOCK:
        if not mark.exists():
            _compile_in_child(path, mark)
        return _load(path)


def _compile_in_child(path: Path, mark: Path) -> None:
    """Fill the cache for the module at `path`; if that fails the caller compiles for itself."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "deqmpc_core.mpc.kernels.build", str(path)]
    if subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0:
        mark.touch()


def _digest(system: System, horizon: int, substeps: int, part: str) -> str:
    """Of everything that decides the machine code; the robot by its expressions, which cost less than their
    source."""
    folder = Path(__file__).parent
    sources = [(folder / f"{module}.py").read_text() for module in (*_IMPORTED, *_PARTS[part])]
    robot = [str(expression) for expression in (system.symbolic, system.symbolic_inequalities)]
    layout = (horizon, substeps, part, system.n, system.m, system.position, system.mrp)
    facts = [
        *sources, *robot, *map(str, layout),
        *(f"{flag}={getattr(numba.config, flag)}" for flag in _FLAGS), _options(),
        sympy.__version__, numba.__version__, llvmlite.__version__, platform.python_version(),
        llvmlite.binding.get_host_cpu_name(), str(llvmlite.binding.get_host_cpu_features().flatten()),
    ]  # fmt: skip
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:16]


def _source(system: System, horizon: int, substeps: int, part: str) -> str:
    header = [
        '"""Generated; see deqmpc_core.mpc.kernels.build."""',
        "import math",
        "from numba import njit",
        "import numpy as np",
        "from deqmpc_core.mpc.kernels.data import Block, BlockAdjoint, BlockStep, Data",
        "from deqmpc_core.mpc.kernels.data import Lanes, Samples",
        "from deqmpc_core.mpc.kernels.sizes import Array",
        "from deqmpc_core.mpc.kernels.stack import stack_array",
        "from deqmpc_core.mpc.kernels.vector import add_lane, index, lane_sum, larger, load, smaller",
        "from deqmpc_core.mpc.kernels.vector import splat, store",
        f"NX, NU, NXU = {system.n}, {system.m}, {system.n + system.m}",
        f"KNOTS, NG = {horizon + 1}, {len(system.symbolic_inequalities)}",
        f"HORIZON, SUBSTEPS, STAGES = {horizon}, {substeps}, {4 * substeps}",
        f"POSITION = {-1 if system.position is None else system.position}",
        *_widths(system, part),
        f"MRP = {-1 if system.mrp is None else system.mrp}",
        f"OPTIONS = {_options()}",
    ]
    bodies = [(Path(__file__).parent / f"{room}.py").read_text().split(_MARK)[1] for room in _PARTS[part]]
    bodies.append(_alone(bodies))
    functions = [stage_source(system, part in _BLOCKS)]
    functions += [inequality_source(system)] if part not in _BLOCKS else []
    functions += [curvature_source(system)] if part == "adjoint" else []
    return "\n".join([*header, *functions, *bodies])


def _widths(system: System, part: str) -> list[str]:
    """Of vectors: a lane for each of eight knots, but of four samples, so that rows fit the registers."""
    if part not in _BLOCKS:
        return ["LANES = 8"]
    lanes, n, m = 4, system.n, system.m
    columns = next(count for count in (4, 3, 2, 1) if n % count == 0)
    return [
        f"LANES, COLUMNS = {lanes}, {columns}",
        f"ROW, STATE, STATES, CONTROLS = {(n + m) * lanes}, {n * lanes}, {columns * lanes}, {m * lanes}",
    ]


def _options() -> str:
    """The options' literal, the same text in every process (a set's own order is not)."""
    flags = ", ".join(repr(flag) for flag in sorted(_FASTMATH))
    return f"{{'error_model': 'numpy', 'fastmath': {{{flags}}}}}"


def _alone(bodies: list[str]) -> str:
    """Copies of the entry functions that hold the interpreter lock."""
    copies = []
    for body in bodies:
        for head in (f"@njit({name}," for name in _ENTRIES if f"@njit({name}," in body):
            entry = body[body.index(head) :].split("\n\n\n")[0]
            copies.append(entry.replace("nogil=True", "nogil=False").replace("_range(", "_range_alone(", 1))
    return "\n\n\n" + "\n\n\n".join(copies) + "\n"


def _write(path: Path, source: str) -> None:
    """Under a temporary name and renamed, so that two processes may start at once."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w") as file:
        file.write(source)
    os.replace(temporary, path)


@lru_cache(maxsize=1)
def cache_directory() -> Path:
    """A directory for generated sources and machine code that this process may write to."""
    wanted = os.environ.get("DEQMPC_CACHE") or str(Path.home() / ".cache" / "deqmpc")
    for place in (wanted, str(Path(tempfile.gettempdir()) / f"deqmpc-cache-{os.getuid()}")):
        path = Path(place) / "kernels"
        try:
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                return path
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="deqmpc-kernels-"))


def _load(path: Path) -> ModuleType:
    """Import the module; its signatures make Numba compile, or load, at once."""
    name = f"deqmpc_kernels_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    _load(Path(sys.argv[1]))
