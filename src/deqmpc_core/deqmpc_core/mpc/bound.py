"""A solver bound to arrays of its own: what a control loop calls, with no tensor made on the way."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc.native import over_batch
from deqmpc_core.mpc.schedule import COLD_RAMP
from deqmpc_core.types import Spheres

if TYPE_CHECKING:
    from deqmpc_core.mpc.tracking import TrackingSolver

Array = NDArray[np.float64]


class BoundSolver:
    """`TrackingSolver` for B samples of k spheres whose arrays are made once; every call overwrites them.

    x (B, T+1, n), u (B, T, m), status (B,) of Status codes, info (B, 5): violation, cost, Newton steps,
    penalty (or barrier) of the next and the last iteration. Writable between calls, the task's at first:
    `state_weight` (1, T, n), `control_weight` and `control_reference` (1, T, m), `u_lo` and `u_hi` (1, m);
    spheres, at the origin at first: `centers` (B, k, 3), `radius` (B, k) [m] with the margin included.
    Raises ConfigError for the torch backend.
    """

    def __init__(self, solver: "TrackingSolver", batch: int, spheres: int, al_iterations: int | None) -> None:
        if not solver.native:
            raise ConfigError("bind: expected a solver with backend='native'")
        task, horizon = solver.task, solver.horizon
        n, m = task.n, task.m
        blank = torch.zeros(batch, n, dtype=torch.float64)
        own = Spheres(torch.zeros(batch, spheres, 3, dtype=torch.float64), 0.0)
        problem = solver.problem(blank, torch.zeros(batch, horizon, n, dtype=torch.float64), own)
        self._batch, self._shape = batch, (batch, horizon, n)
        self._x0, self._reference = np.zeros((batch, n)), np.zeros((batch, horizon * n))
        _, *shared = solver.backend.data(problem)
        shared = [np.array(v) if isinstance(v, np.ndarray) else v for v in shared]
        width = 2 * m + spheres + len(task.system.symbolic_inequalities)
        interior = solver.method == "interior_point"
        self._x, self._u = np.zeros((batch, (horizon + 1) * n)), np.zeros((batch, horizon * m))
        eta, lam = np.zeros((batch, horizon * n)), np.zeros((batch, horizon * width))
        work = np.empty((batch, (6 if interior else 3) * lam.shape[1]))
        self.status, self.info = np.zeros(batch, np.int64), np.zeros((batch, 5))
        self.state_weight, self.control_weight, self.control_reference = (
            v.reshape(1, horizon, -1) for v in shared[:3]
        )
        self.u_lo, self.u_hi = shared[3:5]
        self.centers, self.radius = shared[5].reshape(batch, spheres, 3), shared[7]
        self._hover = self.control_reference.reshape(1, -1)
        self.x, self.u = self._x.reshape(batch, horizon + 1, n), self._u.reshape(batch, horizon, m)
        self._duals = (eta, lam)
        self._angles = np.array(task.system.angles, dtype=np.int64)
        first = (self._x0, self._reference, *shared, self._x, self._u, eta, lam, work)
        part = "interior_point" if interior else "augmented_lagrangian"
        module = solver.backend.kernels(part)
        self._shift = module.shift_all
        if interior:
            self._kernel = solver.backend.interior_kernel(batch, spheres)
            kinds = (solver.barrier(spheres, warm) for warm in (False, True))
            ends = ((b.iterations, b.tolerance, b.numbers(), self.status, self.info) for b in kinds)
            self._cold, self._warm = ((*first, *end) for end in ends)
            self._penalty = None
            return
        self._kernel = module.solve_range if batch > 1 else module.solve_range_alone
        schedule, penalty = solver.scheduled(al_iterations), np.zeros(batch)
        self._cold = self._warm = (
            *first, penalty, schedule.iterations, schedule.newton_steps, schedule.growth,
            schedule.penalty_max, schedule.tolerance, self.status, self.info,
        )  # fmt: skip
        ramp = COLD_RAMP if al_iterations is None else al_iterations
        self._penalty = penalty, schedule.first_penalty(ramp), schedule.first_penalty(al_iterations or 2)

    def __call__(self, x0: ArrayLike, reference: ArrayLike, warm: bool = False) -> tuple[Array, Array]:
        """x and u for x0 (B, n) and waypoints reference (B, T, n), numpy or torch.

        warm: go on from the last call's plan, one knot on; else from x0 at every knot. Raises ShapeError.
        """
        x0, reference = np.asarray(x0), np.asarray(reference)
        if reference.shape != self._shape or x0.shape != (self._batch, self._shape[2]):
            expected = f"x0 {(self._batch, self._shape[2])} and reference {self._shape}"
            raise ShapeError(f"expected {expected}, got {x0.shape} and {reference.shape}")
        self._x0[...] = x0
        self._reference[...] = reference.reshape(self._batch, -1)
        if warm:
            self._shift(self._x0, self._x, self._u, self._angles)
        else:
            self.x[...] = x0[:, None]
            self._u[...] = self._hover
        if self._penalty is not None:
            penalty, cold, again = self._penalty
            penalty[...] = again if warm else cold
            for dual in self._duals:
                dual[...] = 0.0
        arguments = self._warm if warm else self._cold
        if self._batch == 1:
            self._kernel(0, 1, *arguments)
        else:
            over_batch(self._batch, lambda first, last: self._kernel(first, last, *arguments))
        return self.x, self.u
