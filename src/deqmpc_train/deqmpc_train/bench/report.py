"""Runs the benchmark and writes it down: JSON for machines, markdown for people."""

import importlib.util
import os
import platform
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from deqmpc_core.errors import ConfigError
from deqmpc_train.bench.cases import Settings, problem_sets
from deqmpc_train.bench.growth import growth
from deqmpc_train.bench.measure import Row, Stopwatch
from deqmpc_train.bench.own import own
from deqmpc_train.bench.peer import Absent, Peer

# Looked for by the names they install under; none of these poses this problem through pip on every machine.
_OTHERS = {
    "acados": "acados_template", "theseus": "theseus", "trajax": "trajax",
    "cvxpylayers": "cvxpylayers", "qpth": "qpth",
}  # fmt: skip
_NO_ADAPTER = {
    "acados": "needs its C library and a compiler", "theseus": "no inequality constraints",
    "trajax": "needs JAX", "cvxpylayers": "convex problems only", "qpth": "quadratic programs only",
}  # fmt: skip


def find_peers(tolerance: float, quick: bool = False) -> tuple[list[Peer], list[Absent]]:
    """Every peer that is installed, and the others with the reason."""
    here = [own("native", method, tolerance) for method in ("augmented_lagrangian", "interior_point")]
    absent = []
    if quick:
        absent.append(Absent("torch AL", "too slow for the quick set"))
    else:
        here.append(own("torch", "augmented_lagrangian", tolerance))
    for name, module, how in (("casadi IPOPT", "casadi", "pip install casadi"),
                              ("mpc.pytorch", "mpc", "pip install --no-deps mpc")):  # fmt: skip
        if importlib.util.find_spec(module) is None:
            absent.append(Absent(name, f"not installed: {how}"))
        elif module == "casadi":
            from deqmpc_train.bench.casadi import ipopt
            from deqmpc_train.bench.fatrop import fatrop

            here.append(ipopt(tolerance))
            try:
                here.append(fatrop(tolerance))
            except ConfigError as error:
                absent.append(Absent("casadi fatrop", str(error)))
        else:
            from deqmpc_train.bench.mpc_pytorch import mpc_pytorch

            here.append(mpc_pytorch(tolerance))
    for name, module in _OTHERS.items():
        there = "installed" if importlib.util.find_spec(module) else "not installed"
        absent.append(Absent(name, f"{there}; no adapter: {_NO_ADAPTER[name]}"))
    return here, absent


def run(settings: Settings, progress: Callable[[int, int, str], None] = lambda *_: None) -> dict[str, Any]:
    """The whole report. Raises ConfigError without CasADi, whose IPOPT is the oracle."""
    if importlib.util.find_spec("casadi") is None:
        raise ConfigError('the benchmark needs IPOPT as its oracle: pip install "deqmpc_train[bench]"')
    begin, before = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    peers, absent = find_peers(settings.tolerance, settings.quick)
    watch, sets, rows = Stopwatch(peers, settings), list(problem_sets(settings.quick)), []
    total = sum(len(s.cells) for s in sets) + 1
    done = 0
    try:
        for problem in sets:
            progress(done, total, problem.name)
            for cell in watch.rows(problem):
                rows += cell
                done += 1
                progress(done, total, problem.name)
        progress(done, total, "growth with horizon and threads")
        grown = growth(settings.quick)
    finally:
        torch.set_num_threads(before)
    progress(total, total, "done")
    machine = {
        "processor": platform.processor() or platform.machine(), "cores": os.cpu_count(),
        "load": list(os.getloadavg()), "python": platform.python_version(), "torch": torch.__version__,
    }  # fmt: skip
    return {
        "settings": {"quick": settings.quick, "threads": settings.threads, "tolerance": settings.tolerance},
        "machine": machine, "seconds": time.perf_counter() - begin, "rows": [r._asdict() for r in rows],
        "absent": [a._asdict() for a in absent], "growth": grown,
    }  # fmt: skip


def markdown(report: dict[str, Any]) -> str:
    """A table for each problem set, then growth and what is missing."""
    rows = [Row(**r) for r in report["rows"]]
    settings, machine = report["settings"], report["machine"]
    lines = [
        "# Solver benchmark", "",
        f"Medians of calls taken in turns in one run; tolerance {settings['tolerance']:g}, "
        f"{settings['threads']} thread(s), {machine['cores']} cores, load {machine['load'][0]:.1f}. "
        "Ratios to the fastest native row; solved: violation < 1e-4 and cost <= 1.001 times IPOPT's.", "",
    ]  # fmt: skip
    for name in dict.fromkeys(r.problem for r in rows):
        lines += [f"## {name}", "", *_table("peer batch mode µs/solve ratio solved note".split(),
                  [_cells(r) for r in rows if r.problem == name]), ""]  # fmt: skip
    lines += _growth(report["growth"])
    lines += ["## Not here", "", *(f"- {a['name']}: {a['reason']}" for a in report["absent"])]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> list[str]:
    share = "" if row.solved_share is None else f"{row.solved_share:.0%} of {row.judged}"
    time_us = "" if row.median_us_per_solve is None else f"{row.median_us_per_solve:.1f}"
    ratio = f"{row.ratio:.3g}" if row.ratio else ""
    return [row.peer, str(row.batch), row.mode, time_us, ratio, share, row.note]


def _growth(grown: dict[str, Any]) -> list[str]:
    lines = ["## Growth", ""]
    for found in grown["horizon"]:
        if "note" in found:
            lines += [f"{found['method']}: {found['note']}", ""]
            continue
        keys = ("T", "us_per_solve", "iterations", "us_per_iteration", "bytes")
        body = [[f"{p[k]:.4g}" for k in keys] for p in found["points"]]
        fits = ", ".join(f"{k} R² {f['r2']:.4f}" for k, f in found["fits"].items())
        lines += [f"{found['method']}, box, cold, against T: {fits}", "", *_table(keys, body), ""]
    threads = grown["threads"]
    return [*lines, f"Two threads, B = {threads['batch']}: solver {threads['solver_speed_up']:.2f} times, "
            f"work that shares nothing {threads['empty_speed_up']:.2f} times.", ""]  # fmt: skip


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)]
