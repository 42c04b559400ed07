"""How many problems a solver solves, measured against IPOPT from the same first guess."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from deqmpc_core.testing.oracle import Answers, IpoptOracle
from deqmpc_core.testing.problems import Problems, random_problems, warm_problems
from deqmpc_core.types import Spheres

VIOLATION = 1e-4  # a solved problem's largest violation, in units of state, control and m^2
DEARER = 1.001  # and its cost as a multiple of IPOPT's
_CHUNK = 20  # problems a file: what a broken-off run loses at most


class Solved(NamedTuple):
    """solved (B,) and, of those IPOPT solves, how many there are and which share of them is solved."""

    solved: Tensor
    count: int
    share: float


def cost_and_violation(problems: Problems, x: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Cost and largest violation (B,) of plans x (B, T+1, n), u (B, T, m), computed from the task alone."""
    task = problems.task
    ex = (x[:, 1:] - problems.reference).square() * task.state_weight
    eu = (u - task.control_reference).square() * task.control_weight
    cost = 0.5 * (ex.sum((1, 2)) + eu.sum((1, 2)))
    parts = [
        (x[:, 0] - problems.x0).abs(),
        (task.system.rk4(x[:, :-1], u, task.dt, task.substeps) - x[:, 1:]).abs().flatten(1),
        (task.u_lo - u).flatten(1), (u - task.u_hi).flatten(1),
        task.system.inequality(x[:, 1:]).flatten(1), _inside(problems, x).flatten(1),
    ]  # fmt: skip
    worst = torch.cat(parts, 1).amax(1).clamp_min(0.0)
    return cost, torch.where(worst.isnan(), torch.inf, worst)


def _inside(problems: Problems, x: Tensor) -> Tensor:
    """r^2 - |p_t - c_j|^2 (B, T, k) [m^2], the task's margin included."""
    spheres: Spheres | None = problems.spheres
    if spheres is None:
        return x.new_zeros(x.shape[0], 0)
    first = problems.task.system.position or 0
    offset = x[:, 1:, None, first : first + 3] - spheres.center[:, None]
    reach = torch.as_tensor(spheres.radius)[:, None] + problems.task.safety_margin
    return reach.square() - offset.square().sum(-1)


def solved(problems: Problems, x: Tensor, u: Tensor, answers: Answers) -> Tensor:
    """(B,) bool: violation below 1e-4 and cost at most 1.001 times IPOPT's."""
    cost, violation = cost_and_violation(problems, x.detach(), u.detach())
    return (violation < VIOLATION) & (cost <= DEARER * answers.cost)


def solved_share(
    problems: Problems, x: Tensor, u: Tensor, answers: Answers, at_most: int | None = None
) -> Solved:
    """The share of plans x (B, T+1, n), u (B, T, m) that solve, of the first `at_most` problems that IPOPT
    solves."""
    right = solved(problems, x, u, answers)
    rows = answers.ok.nonzero()[:at_most, 0]
    return Solved(right, len(rows), float(right[rows].double().mean()) if len(rows) else float("nan"))


def ipopt_answers(
    problems: Problems, folder: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Answers:
    """IPOPT's answers, kept under `folder` by what the problems are: a run that is broken off goes on."""
    folder.mkdir(parents=True, exist_ok=True)
    oracle: IpoptOracle | None = None
    parts = []
    for first in range(0, problems.batch, _CHUNK):
        part = problems.take(slice(first, first + _CHUNK))
        file = folder / f"{_digest(part)}.npz"
        if not file.exists():
            oracle = oracle or IpoptOracle(problems.task, problems.horizon, problems.spheres_count)
            _write(file, oracle(part))
        with np.load(file) as kept:
            parts.append(Answers(*(torch.from_numpy(kept[name]) for name in Answers._fields)))
        progress(min(first + _CHUNK, problems.batch), problems.batch)
    return Answers(*(torch.cat(column) for column in zip(*parts, strict=True)))


def warm_set(kind: str, horizon: int, count: int, seed: int, obstacles: int, folder: Path) -> Problems:
    """At most `count` problems whose predecessors IPOPT solved, one knot later, from its plan, shifted."""
    drawn = random_problems(kind, horizon, count + count // 10, seed, obstacles)
    before = ipopt_answers(drawn, folder)
    rows = before.ok.nonzero()[:count, 0]
    return warm_problems(drawn.take(rows), before.x[rows], before.u[rows], seed)


def _write(file: Path, answers: Answers) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".part", delete=False) as part:
        np.savez(part, **{name: value.numpy() for name, value in answers._asdict().items()})
    os.replace(part.name, file)


def _digest(problems: Problems) -> str:
    """Name of the problems: their numbers, the task's and the horizon."""
    task, spheres = problems.task, problems.spheres
    numbers = [problems.x0, problems.reference, *problems.guess, task.u_lo, task.u_hi, task.state_weight,
               task.control_weight, task.control_reference]  # fmt: skip
    if spheres is not None:
        numbers += [spheres.center, torch.as_tensor(spheres.radius) + task.safety_margin]
    successor = task.system.rk4(problems.x0, task.control_reference.expand(problems.batch, -1), task.dt)
    numbers += [successor, task.system.inequality(successor)]
    digest = hashlib.sha256(f"1 {task.dt} {task.substeps}".encode())
    for value in numbers:
        digest.update(np.ascontiguousarray(value.detach().numpy().round(9) + 0.0).tobytes())
    return digest.hexdigest()[:24]
