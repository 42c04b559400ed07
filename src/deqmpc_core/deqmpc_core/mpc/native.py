"""The native backend: Numba kernels over contiguous float64 arrays, samples spread over a thread pool."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.mpc.kernels.build import kernels
from deqmpc_core.mpc.problem import Problem
from deqmpc_core.mpc.schedule import Barrier, Schedule
from deqmpc_core.systems.system import System
from deqmpc_core.types import Sensitivity, SolverState

Array = NDArray[np.float64]
_CHUNK = 16  # fewest samples worth a thread of their own
_BLOCKS = 32  # and worth a kernel whose lanes are samples


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="deqmpc-solver")


def _array(value: Tensor, rows: int | None = None) -> Array:
    """Contiguous float64 (rows, -1) view or copy."""
    array = value.detach().numpy()
    return np.ascontiguousarray(array.reshape(array.shape[0] if rows is None else rows, -1), np.float64)


def over_batch(batch: int, run: Callable[[int, int], None]) -> None:
    """Run `run(first, last)` over [0, batch), in chunks on the pool where that pays."""
    workers = min(torch.get_num_threads(), batch // _CHUNK)
    if workers <= 1:
        run(0, batch)
        return
    bounds = [batch * i // workers for i in range(workers + 1)]
    jobs = [_pool().submit(run, a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
    for job in jobs:
        job.result()


class NativeBackend:
    """Kernels of one system, horizon and interval; the first call compiles them or loads the cache."""

    def __init__(self, system: System, horizon: int, dt: float, substeps: int) -> None:
        self.system, self.horizon, self.dt, self.substeps = system, horizon, dt, substeps

    def kernels(self, part: str) -> ModuleType:
        """The compiled module of a part (see `kernels.build`)."""
        return kernels(self.system, self.horizon, self.substeps, part)

    def _entry(self, part: str, name: str, batch: int) -> Callable[..., None]:
        return getattr(self.kernels(part), name if batch > 1 else f"{name}_alone")

    def interior_kernel(self, batch: int, spheres: int) -> Callable[..., None]:
        """The interior point's entry: samples in the lanes of vectors where there are enough of them and
        control limits are all that holds them."""
        if self._in_lanes(batch, spheres):
            return self.kernels("block").block_range
        return self._entry("interior_point", "interior_range", batch)

    def _in_lanes(self, batch: int, spheres: int) -> bool:
        return batch >= _BLOCKS and spheres == 0 and self.system.inequalities is None

    def data(self, problem: Problem) -> tuple[Array | int | float, ...]:
        """The kernels' shared argument block: reference … limits, centers, their stride, radius,
        parameters, dt."""
        stride = 3 * problem.radius.shape[1] if problem.centers.shape[1] > 1 else 0
        rows = [_array(v) for v in problem[1:7]]
        return (
            *rows, _array(problem.centers), stride, _array(problem.radius), _array(problem.parameters),
            self.dt
        )  # fmt: skip

    def solve(
        self, problem: Problem, state: SolverState, schedule: Schedule
    ) -> tuple[SolverState, Tensor, Tensor]:
        """The augmented Lagrangian: new state, status codes (B,) and info (B, 5): violation, cost, Newton
        steps, next and last penalty."""
        run = _Run(problem, state, 3)
        penalty = _array(state.penalty, run.batch)[:, 0]
        kernel = self._entry("augmented_lagrangian", "solve_range", run.batch)
        arguments = (
            _array(problem.x0), *self.data(problem), *run.arrays, penalty, schedule.iterations,
            schedule.newton_steps, schedule.growth, schedule.penalty_max, schedule.tolerance, run.status,
            run.info,
        )  # fmt: skip
        over_batch(run.batch, lambda first, last: kernel(first, last, *arguments))
        return run.result(problem)

    def solve_interior(
        self, problem: Problem, state: SolverState, barrier: Barrier
    ) -> tuple[SolverState, Tensor, Tensor]:
        """The interior point from the state's x and u: as `solve`, the barrier in the penalty's places."""
        run = _Run(problem, state, 6)
        kernel = self.interior_kernel(run.batch, problem.radius.shape[1])
        arguments = (
            _array(problem.x0), *self.data(problem), *run.arrays, barrier.iterations, barrier.tolerance,
            barrier.numbers(), run.status, run.info,
        )  # fmt: skip
        over_batch(run.batch, lambda first, last: kernel(first, last, *arguments))
        return run.result(problem)

    def adjoint(
        self, problem: Problem, state: SolverState, penalty: Tensor, seed_x: Tensor, seed_u: Tensor,
        exact: bool = False, barrier: bool = False,
    ) -> Sensitivity:  # fmt: skip
        """Solution of the adjoint system for a loss with gradient seed_x (B, T+1, n), seed_u (B, T, m);
        options as in the torch backend."""
        run = _Run(problem, state, 3)
        x, u, eta, lam, work = run.arrays
        out = [np.zeros_like(v) for v in (x, u, eta, lam)]
        ok = np.zeros(run.batch, dtype=np.bool_)
        data, penalties = self.data(problem), _array(penalty, run.batch)[:, 0]
        seeds = _array(seed_x), _array(seed_u)
        if barrier and not exact and self._in_lanes(run.batch, problem.radius.shape[1]):
            kernel = self.kernels("block_adjoint").block_adjoint_range
            arguments = (x, *data[1:3], *data[-2:], u, lam, penalties, *seeds, *out[:3], ok)
        else:
            kernel = self._entry("adjoint", "adjoint_range", run.batch)
            arguments = (x, *data, u, eta, lam, penalties, exact, barrier, *seeds, work, *out, ok)
        over_batch(run.batch, lambda first, last: kernel(first, last, *arguments))
        sx, su, seta, slam = (
            torch.from_numpy(v).reshape(run.batch, -1, w) for v, w in zip(out, run.widths, strict=True)
        )
        _, inequality, sphere = split_multipliers(slam, su.shape[2], problem)
        return Sensitivity(sx[:, 1:], su, seta, sphere, inequality, sx[:, 0], torch.from_numpy(ok))


class _Run:
    """Arrays of one call: copies of the state for the kernels to improve, in their layout."""

    def __init__(self, problem: Problem, state: SolverState, work: int) -> None:
        lam = torch.cat([state.box, state.inequality, state.sphere], -1)
        parts = (state.x, state.u, state.dynamics, lam)
        self.batch = problem.x0.shape[0]
        self.widths = [v.shape[2] for v in parts]
        copies = [np.array(_array(v), copy=True) for v in parts]
        self.arrays = (*copies, np.empty((self.batch, work * copies[3].shape[1])))
        self.status = np.zeros(self.batch, dtype=np.int64)
        self.info = np.zeros((self.batch, 5))

    def result(self, problem: Problem) -> tuple[SolverState, Tensor, Tensor]:
        x, u, eta, lam = (
            torch.from_numpy(v).reshape(self.batch, -1, w)
            for v, w in zip(self.arrays[:4], self.widths, strict=True)
        )
        box, inequality, sphere = split_multipliers(lam, u.shape[2], problem)
        info = torch.from_numpy(self.info)
        state = SolverState(x, u, eta, box, sphere, inequality, info[:, 3].clone())
        return state, torch.from_numpy(self.status), info


def split_multipliers(lam: Tensor, controls: int, problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
    """Box (B, T, 2m), inequality (B, T, g) and sphere (B, T, k) parts of the kernels' layout."""
    spheres = problem.radius.shape[1]
    own = lam.shape[2] - 2 * controls - spheres
    box, inequality, sphere = lam.split([2 * controls, own, spheres], dim=2)
    return box, inequality, sphere
