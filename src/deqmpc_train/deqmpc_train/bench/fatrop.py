"""CasADi's fatrop (structured interior point for optimal control) as a peer.

Variables and constraints stand in the order of the stages, x_0 u_0 x_1 … x_T, so that it finds its structure.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import Task
from deqmpc_core.testing import Problems
from deqmpc_core.testing.oracle import import_casadi, step_function
from deqmpc_train.bench.peer import NotSupported, Peer, Run

Array = NDArray[np.float64]


def fatrop(tolerance: float, at_most: int = 5) -> Peer:
    """SX functions, exact Hessians. Raises ConfigError where CasADi was built without it."""
    if not import_casadi().has_nlpsol("fatrop"):
        raise ConfigError("this CasADi has no fatrop")

    @lru_cache
    def program(task: Task, horizon: int, spheres: int) -> "_Program":
        return _Program(task, horizon, spheres, tolerance)

    def prepare(problems: Problems, mode: str) -> Run:
        if mode != "forward":
            raise NotSupported("not supported: no backward pass")
        if problems.task.system.inequalities is not None:
            raise NotSupported("not supported: the robot's own inequalities")
        solver = program(problems.task, problems.horizon, problems.spheres_count)

        def run() -> tuple[Tensor, Tensor]:
            plans = [solver.solve(problems.take(slice(b, b + 1))) for b in range(problems.batch)]
            x, u = (torch.from_numpy(np.stack(part)) for part in zip(*plans, strict=True))
            return x, u

        return run

    return Peer("casadi fatrop", prepare, at_most)


class _Program:
    """The program of a task, horizon T and k spheres; start, waypoints and spheres are its parameters."""

    def __init__(self, task: Task, horizon: int, spheres: int, tolerance: float) -> None:
        self._task, self._horizon = task, horizon
        ca = import_casadi()
        n, m, first = task.n, task.m, task.system.position or 0
        x = [ca.MX.sym(f"x{t}", n) for t in range(horizon + 1)]
        u = [ca.MX.sym(f"u{t}", m) for t in range(horizon)]
        start, ways = ca.MX.sym("start", n), ca.MX.sym("ways", n, horizon)
        center, radius = ca.MX.sym("center", 3, spheres), ca.MX.sym("radius", spheres)
        step, model = step_function(task), ca.DM(list(task.system.parameters.values()))
        q, r, hover = (
            ca.DM(v.numpy()) for v in (task.state_weight, task.control_weight, task.control_reference)
        )

        def inside(state: Any) -> Any:
            offset = ca.repmat(state[first : first + 3], 1, spheres) - center
            return radius**2 - ca.sum1(offset**2).T

        rows, equal, cost = [], [], 0.0
        for t in range(horizon):
            at_knot = x[0] - start if t == 0 else inside(x[t]) if spheres else ca.MX(0, 1)
            rows += [x[t + 1] - step(x[t], u[t], model), at_knot]
            equal += [True] * n + [t == 0] * at_knot.shape[0]
            cost += 0.5 * ca.dot(r, (u[t] - hover) ** 2) + 0.5 * ca.dot(q, (x[t + 1] - ways[:, t]) ** 2)
        if spheres:
            rows, equal = [*rows, inside(x[-1])], equal + [False] * spheres
        order = [v for pair in zip(x, u, strict=False) for v in pair] + [x[-1]]
        nlp = {"x": ca.veccat(*order), "f": cost, "g": ca.vertcat(*rows),
               "p": ca.veccat(start, ways, center, radius)}  # fmt: skip
        self._solver = ca.nlpsol("peer", "fatrop", nlp, {
            "structure_detection": "auto", "equality": equal, "expand": True, "print_time": False,
            "fatrop": {"print_level": 0, "tol": tolerance, "max_iter": 300},
        })  # fmt: skip
        self._lower = np.where(equal, 0.0, -np.inf)
        free = np.full((horizon + 1, n), np.inf)
        self._limits = [
            self._flat(sign * free, np.tile(v.numpy(), (horizon, 1)))
            for sign, v in ((-1, task.u_lo), (1, task.u_hi))
        ]

    def solve(self, problem: Problems) -> tuple[Array, Array]:
        """x (T+1, n), u (T, m) of one problem from its first guess."""
        task, spheres = self._task, problem.spheres
        data = [problem.x0.numpy().ravel(), problem.reference.numpy().ravel()]
        if spheres is not None:
            data += [spheres.center.numpy().ravel()]
            data += [torch.as_tensor(spheres.radius).numpy().ravel() + task.safety_margin]
        answer = self._solver(
            x0=self._flat(problem.guess.x[0].numpy(), problem.guess.u[0].numpy()), p=np.concatenate(data),
            lbx=self._limits[0], ubx=self._limits[1], lbg=self._lower, ubg=0.0,
        )  # fmt: skip
        flat = np.array(answer["x"]).ravel()
        body = flat[: -task.n].reshape(self._horizon, task.n + task.m)
        return np.vstack([body[:, : task.n], flat[-task.n :]]), body[:, task.n :]

    @staticmethod
    def _flat(x: Array, u: Array) -> Array:
        return np.concatenate([np.hstack([x[:-1], u]).ravel(), x[-1]])
