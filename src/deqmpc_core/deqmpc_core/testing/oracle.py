"""IPOPT on the same multiple-shooting problem (Eq. 5): the oracle of correctness, and a peer in benchmarks.

CasADi is imported on first use: pip install "deqmpc_core[bench]".
"""

import time
from typing import Any, NamedTuple

import numpy as np
import sympy
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.systems.system import System
from deqmpc_core.tasks import Task
from deqmpc_core.testing.problems import Guess, Problems

_IPOPT = {"print_level": 0, "sb": "yes", "max_iter": 500}


class Answers(NamedTuple):
    """x (B, T+1, n), u (B, T, m); of each problem (B,): cost, largest violation, whether IPOPT says it solved
    it, seconds of wall time."""

    x: Tensor
    u: Tensor
    cost: Tensor
    violation: Tensor
    ok: Tensor
    seconds: Tensor


def import_casadi() -> Any:
    """The module; raises ConfigError naming the extra that brings it."""
    try:
        import casadi
    except ImportError as error:
        raise ConfigError('the oracle needs CasADi: pip install "deqmpc_core[bench]"') from error
    return casadi


class IpoptOracle:
    """One nonlinear program of a task, horizon T and k spheres, built once; start, waypoints, spheres,
    weights and model parameters are its parameters, the control limits its bounds.

    tolerance: IPOPT's. expand: SX instead of MX functions, which evaluate several times faster.
    """

    def __init__(
        self, task: Task, horizon: int, spheres_count: int = 0, *,
        tolerance: float = 1e-8, expand: bool = True,
    ) -> None:  # fmt: skip
        self.task, self.horizon, self.spheres_count = task, horizon, spheres_count
        casadi = import_casadi()
        n, m, k = task.n, task.m, spheres_count
        x, u = casadi.MX.sym("x", n, horizon), casadi.MX.sym("u", m, horizon)
        x0, reference = casadi.MX.sym("x0", n), casadi.MX.sym("reference", n, horizon)
        center, radius = casadi.MX.sym("center", 3, k), casadi.MX.sym("radius", k)
        weights = casadi.MX.sym("weights", n + 2 * m)
        model = casadi.MX.sym("model", len(task.system.parameters))
        step, own = step_function(task), inequality_function(task.system)
        before = casadi.horzcat(x0, x[:, :-1])
        defect = step.map(horizon)(before, u, casadi.repmat(model, 1, horizon)) - x
        place = x[task.system.position or 0 :, :]
        inequalities = [
            radius[j] ** 2 - casadi.sum1((place[:3, :] - casadi.repmat(center[:, j], 1, horizon)) ** 2).T
            for j in range(k)
        ]
        inequalities += [own(x[:, t], model) for t in range(horizon)]
        q, r, u_ref = weights[:n], weights[n : n + m], weights[n + m :]
        cost = 0.5 * casadi.dot(casadi.repmat(q, 1, horizon), (x - reference) ** 2)
        cost += 0.5 * casadi.dot(casadi.repmat(r, 1, horizon), (u - casadi.repmat(u_ref, 1, horizon)) ** 2)
        h = casadi.vertcat(*inequalities)
        program = {
            "x": casadi.veccat(x, u), "f": cost, "g": casadi.vertcat(casadi.vec(defect), h),
            "p": casadi.veccat(x0, reference, center, radius, weights, model),
        }  # fmt: skip
        options = {"ipopt": {**_IPOPT, "tol": tolerance}, "print_time": False, "expand": expand}
        self._solver = casadi.nlpsol("oracle", "ipopt", program, options)
        self._upper = np.zeros(n * horizon + h.shape[0])
        self._lower = np.concatenate([np.zeros(n * horizon), np.full(h.shape[0], -np.inf)])

    def solve_one(
        self, x0: Tensor, reference: Tensor, guess: Guess,
        center: Tensor | None = None, radius: Tensor | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float, bool, float]:  # fmt: skip
        """x (T+1, n), u (T, m), cost, violation, ok, seconds of one problem: x0 (n,), reference (T, n), guess
        x (T+1, n) and u (T, m), center (k, 3), radius (k,) without the task's safety margin."""
        task, horizon = self.task, self.horizon
        first = np.concatenate([guess.x[1:].numpy().ravel(), guess.u.numpy().ravel()])
        free = np.full(task.n * horizon, np.inf)
        balls = ()
        if center is not None and radius is not None:
            balls = (center.numpy().ravel(), radius.numpy() + task.safety_margin)
        data = np.concatenate([
            x0.numpy(), reference.numpy().ravel(), *balls, task.state_weight.numpy(),
            task.control_weight.numpy(), task.control_reference.numpy(),
            np.array(list(task.system.parameters.values())),
        ])  # fmt: skip
        lower = np.concatenate([-free, np.tile(task.u_lo.numpy(), horizon)])
        upper = np.concatenate([free, np.tile(task.u_hi.numpy(), horizon)])
        begin = time.perf_counter()
        answer = self._solver(
            x0=first, p=data, lbx=lower, ubx=upper, lbg=self._lower, ubg=self._upper
        )
        seconds = time.perf_counter() - begin
        flat, g = np.array(answer["x"]).ravel(), np.array(answer["g"]).ravel()
        box = np.maximum(lower - flat, flat - upper)
        violation = max(float(np.maximum(self._lower - g, g - self._upper).max()), float(box.max()), 0.0)
        x = np.vstack([x0.numpy(), flat[: task.n * horizon].reshape(horizon, task.n)])
        u = flat[task.n * horizon :].reshape(horizon, task.m)
        ok = bool(self._solver.stats()["success"]) and violation < 1e-6
        return x, u, float(answer["f"]), violation, ok, seconds

    def __call__(self, problems: Problems) -> Answers:
        """Every problem of the batch, one after the other, from its own first guess."""
        rows = []
        for b in range(problems.batch):
            ball = ()
            if problems.spheres is not None:
                ball = (problems.spheres.center[b], torch.as_tensor(problems.spheres.radius)[b])
            guess = Guess(problems.guess.x[b], problems.guess.u[b])
            rows.append(self.solve_one(problems.x0[b], problems.reference[b], guess, *ball))
        return Answers(*(torch.from_numpy(np.array(part)) for part in zip(*rows, strict=True)))


def step_function(task: Task) -> Any:
    """CasADi function (x (n), u (m), model) -> successor (n) after one interval of the task's RK4 steps."""
    casadi = import_casadi()
    system = task.system
    x, u, p, xdot = system.symbolic
    rows = sympy.lambdify([x, u, p], xdot, modules=[casadi], cse=True)
    state, control = casadi.SX.sym("x", system.n), casadi.SX.sym("u", system.m)
    model = casadi.SX.sym("model", len(p))
    h, s = task.dt / task.substeps, state

    def f(z: Any) -> Any:
        return casadi.vertcat(*rows(casadi.vertsplit(z), casadi.vertsplit(control), casadi.vertsplit(model)))

    for _ in range(task.substeps):
        k1 = f(s)
        k2 = f(s + h / 2 * k1)
        k3 = f(s + h / 2 * k2)
        s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(s + h * k3))
    return casadi.Function("step", [state, control, model], [s])


def inequality_function(system: System) -> Any:
    """CasADi function (x (n), model) -> the robot's own inequalities h (g)."""
    casadi = import_casadi()
    x, _, p, _ = system.symbolic
    rows = sympy.lambdify([x, p], system.symbolic_inequalities, modules=[casadi], cse=True)
    state, model = casadi.SX.sym("x", system.n), casadi.SX.sym("model", len(p))
    h = casadi.vertcat(*rows(casadi.vertsplit(state), casadi.vertsplit(model)))
    return casadi.Function("inequalities", [state, model], [casadi.SX(h)])
