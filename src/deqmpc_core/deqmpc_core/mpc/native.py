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
from deqmpc_core.mpc.schedule import Schedule
from deqmpc_core.systems.system import System
from deqmpc_core.types import Sensitivity, SolverState

_CHUNK = 16  # fewest samples worth a thread of their own


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="deqmpc-solver")


def _array(value: Tensor, rows: int | None = None) -> NDArray[np.float64]:
    """Contiguous (rows, -1) view or copy."""
    array = value.detach().numpy()
    return np.ascontiguousarray(array.reshape(array.shape[0] if rows is None else rows, -1))


def _over_batch(batch: int, run: Callable[[int, int], None]) -> None:
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
    """Kernels of one system, horizon and interval; the first call compiles (or loads the cache) and warms
    them."""

    def __init__(self, system: System, horizon: int, dt: float, substeps: int) -> None:
        self._system, self._horizon, self._dt, self._substeps = system, horizon, dt, substeps

    def _kernels(self, nogil: bool) -> ModuleType:
        return kernels(self._system, self._horizon, self._substeps, nogil)

    def _data(self, problem: Problem) -> tuple[tuple[NDArray[np.float64], ...], int]:
        """The kernels' shared argument block (reference … parameters) and the spheres' knot stride."""
        rows = [_array(v) for v in problem[1:7]]
        stride = 3 * problem.radius.shape[1] if problem.centers.shape[1] > 1 else 0
        return (*rows, _array(problem.centers), _array(problem.radius), _array(problem.parameters)), stride

    def solve(
        self, problem: Problem, state: SolverState, schedule: Schedule
    ) -> tuple[SolverState, Tensor, Tensor]:
        """New state, status codes (B,) and info (B, 5): violation, cost, Newton steps, next and last
        penalty."""
        batch = problem.x0.shape[0]
        primal = [np.array(_array(v), copy=True) for v in state[:5]]
        penalty = _array(state.penalty, batch)[:, 0]
        status = np.zeros(batch, dtype=np.int64)
        info = np.zeros((batch, 5))
        rows, stride = self._data(problem)
        *weights, centers, radius, parameters = rows
        x0 = _array(problem.x0)
        arguments = (
            x0, *weights, centers, stride, radius, parameters, self._dt, *primal, penalty,
            schedule.iterations, schedule.newton_steps, schedule.growth, schedule.penalty_max,
            schedule.tolerance, status, info,
        )  # fmt: skip
        kernel = self._kernels(nogil=batch > 1).solve_range
        _over_batch(batch, lambda first, last: kernel(first, last, *arguments))
        tensors = [torch.from_numpy(a).reshape(v.shape) for a, v in zip(primal, state[:5], strict=True)]
        numbers = torch.from_numpy(info)
        after = SolverState(*tensors, inequality=state.inequality, penalty=numbers[:, 3].clone())
        return after, torch.from_numpy(status), numbers

    def adjoint(
        self, problem: Problem, state: SolverState, penalty: Tensor, seed_x: Tensor, seed_u: Tensor,
        exact: bool = False,
    ) -> Sensitivity:  # fmt: skip
        """Eq. 12: s_x (B, T, n), s_u (B, T, m) with H s = seed, and the gradient to x0 (B, n)."""
        batch, (steps, n), m = problem.x0.shape[0], state.x.shape[1:], state.u.shape[2]
        sx, su, gx0 = np.zeros((batch, steps * n)), np.zeros((batch, (steps - 1) * m)), np.zeros((batch, n))
        ok = np.zeros(batch, dtype=np.bool_)
        rows, stride = self._data(problem)
        *weights, centers, radius, parameters = rows
        x, u, _, box, sphere = (_array(v) for v in state[:5])
        seeds = _array(seed_x.to(torch.float64)), _array(seed_u.to(torch.float64))
        mu = _array(penalty, batch)[:, 0]

        arguments = (
            x, u, *weights, centers, stride, radius, parameters, self._dt, box, sphere, mu, *seeds,
            sx, su, gx0, ok,
        )  # fmt: skip
        kernel = self._kernels(nogil=True).adjoint_range
        _over_batch(batch, lambda first, last: kernel(first, last, *arguments))
        return Sensitivity(
            torch.from_numpy(sx).reshape(batch, steps, n)[:, 1:],
            torch.from_numpy(su).reshape(batch, steps - 1, m),
            *(torch.zeros_like(v) for v in (state.dynamics, state.sphere, state.inequality)),
            torch.from_numpy(gx0), torch.from_numpy(ok),
        )  # fmt: skip
